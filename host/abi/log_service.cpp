#include "host/abi/log_service.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "host/abi/abi_text.hpp"
#include "host/abi/foreign_text.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxFields = 32;   // of one line; more is a mistake
constexpr std::size_t kMaxBytes = 2000;  // of one text, as the header says
// Fields that only the host may set in a line: a plugin that used these names would speak for the
// host.
constexpr std::array<std::string_view, 6> kOfTheHost = {"ts",      "level",  "code",
                                                        "message", "plugin", "repeated"};

std::string FieldName(summa_str text) {
  std::string name = CleanName(View(text));
  const bool taken = std::find(kOfTheHost.begin(), kOfTheHost.end(), name) != kOfTheHost.end();
  return taken ? name + "_" : name;
}

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
    std::vector<std::string> names;  // the fields borrow them
    names.reserve(kMaxFields);
    std::vector<LogField> all;
    all.push_back({"plugin", static_cast<const LogService*>(self)->plugin_id_});
    if (fields == nullptr) field_count = 0;
    for (std::size_t i = 0; i < std::min(field_count, kMaxFields); ++i) {
      all.push_back({names.emplace_back(FieldName(fields[i].name)),
                     CleanText(View(fields[i].value), kMaxBytes)});
    }
    const std::string clean_code = IsCode(View(code)) ? Copy(code) : std::string();
    Log(Level(level), clean_code, CleanText(View(message), kMaxBytes), all);
  } catch (...) {
    // Out of memory: a lost line is better than a dead worker.
  }
}

}  // namespace summa::host
