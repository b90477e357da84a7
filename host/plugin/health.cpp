#include "host/plugin/health.hpp"

#include <algorithm>

namespace summa::host {
namespace {

constexpr std::size_t kMaximumText = 2000;  // as the header of the extension says

std::string Text(summa_str text) {
  if (text.data == nullptr) return {};
  std::size_t size = std::min(text.size, kMaximumText);
  if (size < text.size) {  // not in the middle of a UTF-8 character
    while (size > 0 && (static_cast<unsigned char>(text.data[size]) & 0xC0) == 0x80) --size;
  }
  return {text.data, size};
}

// What examine() sees; behind the function pointers of summa_examination.
struct Call {
  summa_examination table{};
  const std::function<bool()>& should_stop;
  const std::function<void(Finding)>& on_finding;
};

std::int32_t ShouldStop(const summa_examination* examination) noexcept {
  return static_cast<Call*>(examination->self)->should_stop() ? 1 : 0;
}
void Report(const summa_examination* examination, const summa_finding* finding) noexcept {
  static_cast<Call*>(examination->self)->on_finding(FromPlugin(*finding));
}

}  // namespace

Finding FromPlugin(const summa_finding& finding) {
  Severity severity = Severity::kError;
  if (finding.severity == SUMMA_SEVERITY_OK) severity = Severity::kOk;
  if (finding.severity == SUMMA_SEVERITY_WARN) severity = Severity::kWarning;
  return {Text(finding.subject), severity, Text(finding.found), Text(finding.expected),
          Text(finding.fix)};
}

std::vector<Finding> FailingOf(const PluginInstance& plugin) {
  if (plugin.state() != PluginState::kStarted) return {};
  const summa_health_v1* health = plugin.Health();
  if (health == nullptr || health->failing == nullptr) return {};
  std::vector<Finding> failing;
  const auto report = [](void* result, const summa_finding* finding) {
    static_cast<std::vector<Finding>*>(result)->push_back(FromPlugin(*finding));
  };
  try {
    health->failing(health->self, report, &failing);
  } catch (...) {
    failing.push_back({"health", Severity::kError, "it threw an exception when asked", "",
                       "This is a defect of the plugin; report it to its author."});
  }
  return failing;
}

void Examine(const PluginInstance& plugin, const summa_sql_v1* sql,
             const std::function<bool()>& should_stop,
             const std::function<void(Finding)>& on_finding) {
  const summa_health_v1* health = plugin.Health();
  if (health == nullptr || health->examine == nullptr) return;
  Call call{{}, should_stop, on_finding};
  call.table = {sizeof call.table, 0, &call, sql, ShouldStop, Report};
  summa_error error{};
  error.struct_size = sizeof error;
  std::int32_t status = SUMMA_E_INTERNAL;
  try {
    status = health->examine(health->self, &call.table, &error);
  } catch (...) {
    throw Failure("SH-0124", "plugin \"" + plugin.id() + "\" threw an exception out of examine()",
                  "This is a defect of the plugin; report it to its author.");
  }
  if (status != SUMMA_OK) {
    throw Failure(FromPlugin(plugin.manifest(), "examine()", status, error));
  }
}

}  // namespace summa::host
