#include "host/plugin/health.hpp"

#include "host/abi/abi_text.hpp"
#include "host/abi/foreign_text.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxFindings = 1000;

std::string Line(summa_str text) { return CleanLine(View(text), kMaxFindingText); }

// What examine() sees; behind the function pointers of summa_examination. Shared with the plugin's
// thread: a thread that returns late writes only where nobody reads any more.
struct Call {
  summa_examination table{};
  std::function<bool()> should_stop;
  Mutex mutex;
  std::vector<Finding> findings SUMMA_GUARDED_BY(mutex);
  bool closed SUMMA_GUARDED_BY(mutex) = false;
};

std::int32_t ShouldStop(const summa_examination* examination) noexcept {
  auto* call = static_cast<Call*>(examination->self);
  const MutexLock lock(call->mutex);
  return call->closed || (call->should_stop && call->should_stop()) ? 1 : 0;
}

void Report(const summa_examination* examination, const summa_finding* finding) noexcept {
  auto* call = static_cast<Call*>(examination->self);
  const MutexLock lock(call->mutex);
  if (call->closed || finding == nullptr || call->findings.size() >= kMaxFindings) return;
  call->findings.push_back(FromPlugin(*finding));
}

}  // namespace

Finding FromPlugin(const summa_finding& finding) {
  Severity severity = Severity::kError;
  if (finding.severity == SUMMA_SEVERITY_OK) severity = Severity::kOk;
  if (finding.severity == SUMMA_SEVERITY_WARN) severity = Severity::kWarning;
  return {Line(finding.subject), severity, Line(finding.found), Line(finding.expected),
          Line(finding.fix)};
}

Examination Examine(PluginInstance& plugin, const summa_sql_v1* sql,
                    const std::function<bool()>& should_stop) {
  const auto* health = plugin.Table<summa_health_v1>(SUMMA_HEALTH_V1);
  if (health == nullptr || health->examine == nullptr) return {};
  const auto call = std::make_shared<Call>();
  call->should_stop = should_stop;
  call->table = {sizeof call->table, 0, call.get(), sql, ShouldStop, Report};
  const CallAnswer answer =
      plugin.TryCall("examine()", plugin.limits().start, [health, call](summa_error* error) {
        return health->examine(health->self, &call->table, error);
      });
  const MutexLock lock(call->mutex);
  call->closed = true;
  Examination result{std::move(call->findings), plugin.error()};
  if (answer.returned) result.error = plugin.ErrorOf("examine()", answer);
  return result;
}

}  // namespace summa::host
