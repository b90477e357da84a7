#include "host/abi/log_service.hpp"

#include <algorithm>
#include <vector>

#include "host/abi/abi_text.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMostFields = 32;  // of one line; more is a mistake

LogLevel Level(std::int32_t level) {
  return static_cast<LogLevel>(std::clamp<std::int32_t>(level, SUMMA_LOG_DEBUG, SUMMA_LOG_ERROR));
}

std::int32_t Enabled(void*, std::int32_t level) noexcept {
  return LogEnabled(Level(level)) ? 1 : 0;
}

}  // namespace

LogService::LogService(std::string plugin_id) : plugin_id_(std::move(plugin_id)) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.write = &LogService::Write;
  table_.enabled = &Enabled;
}

void LogService::Write(void* self, std::int32_t level, summa_str code, summa_str message,
                       const summa_log_field* fields, std::size_t field_count) noexcept {
  try {
    if (!LogEnabled(Level(level))) return;
    std::vector<LogField> all;
    all.push_back({"plugin", static_cast<const LogService*>(self)->plugin_id_});
    if (fields == nullptr) field_count = 0;
    for (std::size_t i = 0; i < std::min(field_count, kMostFields); ++i) {
      all.push_back({View(fields[i].name), Copy(fields[i].value)});
    }
    Log(Level(level), View(code), View(message), all);
  } catch (...) {
    // Out of memory: a lost line is better than a dead worker.
  }
}

}  // namespace summa::host
