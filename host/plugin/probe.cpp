#include "host/plugin/probe.hpp"

#include "host/abi/foreign_text.hpp"
#include "host/abi/plugin_call.hpp"
#include "host/plugin/health.hpp"
#include "summa/json.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// For people who look at /status; more is a mistake.
constexpr std::size_t kMaxStatusBytes = 256 * 1024;
constexpr std::size_t kMaxFindings = 100;

Finding Defect(const PluginInstance& plugin, const std::string& what) {
  return {"plugin " + plugin.id(), Severity::kError, what, "",
          "This is a defect of the plugin; report it to its author."};
}

std::vector<Finding> ReadFailing(const PluginInstance& plugin) {
  const auto* health = plugin.Table<summa_health_v1>(SUMMA_HEALTH_V1);
  if (health == nullptr || health->failing == nullptr) return {};
  std::vector<Finding> failing;
  const auto report = [](void* result, const summa_finding* finding) noexcept {
    auto* all = static_cast<std::vector<Finding>*>(result);
    if (finding != nullptr && all->size() < kMaxFindings) all->push_back(FromPlugin(*finding));
  };
  const CallAnswer answer = CallPlugin(plugin.id(), "failing()", {}, [&](summa_error*) {
    health->failing(health->self, report, &failing);
    return SUMMA_OK;
  });
  if (answer.thrown) {
    failing.push_back(Defect(plugin, "SH-0124 failing() threw an exception" +
                                         CleanLine(*answer.thrown, kMaxFindingText)));
  }
  return failing;
}

// A text that is not an object is replaced by one that reports this.
std::string ReadStatus(const PluginInstance& plugin, std::vector<Finding>& failing) {
  const auto* status = plugin.Table<summa_status_v1>(SUMMA_STATUS_V1);
  if (status == nullptr || status->status == nullptr) return {};
  ForeignJson json(kMaxStatusBytes);
  const CallAnswer answer = CallPlugin(plugin.id(), "status()", {}, [&](summa_error*) {
    status->status(status->self, &ForeignJson::Write, &json);
    return SUMMA_OK;
  });
  std::string wrong;
  if (answer.thrown) {
    wrong = "SH-0124 status() threw an exception" + CleanLine(*answer.thrown, kMaxFindingText);
  } else if (json.empty()) {
    return {};
  } else if (const std::optional<std::string> problem = json.Problem()) {
    wrong = "SH-0129 the output of status() was discarded: " + *problem;
  } else {
    return json.Take();
  }
  failing.push_back(Defect(plugin, wrong));
  JsonWriter error;
  error.BeginObject().Key("error").BeginObject().Member("code", wrong.substr(0, 7));
  error.Member("message", "plugin \"" + plugin.id() + "\": " + wrong.substr(8));
  return error.EndObject().EndObject().Take();
}

}  // namespace

// Shared with the thread that asks.
struct PluginProbe::Answers {
  Mutex mutex;
  bool any SUMMA_GUARDED_BY(mutex) = false;
  std::string status_json SUMMA_GUARDED_BY(mutex);
  std::vector<Finding> failing SUMMA_GUARDED_BY(mutex);
  BootTime at SUMMA_GUARDED_BY(mutex);
};

PluginProbe::PluginProbe(const PluginInstance& plugin)
    : plugin_(plugin), answers_(std::make_shared<Answers>()) {}

void PluginProbe::Begin() {
  if (plugin_.state() != PluginState::kStarted) return;
  thread_.Begin([&plugin = plugin_, answers = answers_] {
    // In this order: the SDK reports with failing() that StatusJson() threw.
    std::vector<Finding> failing;
    std::string status = ReadStatus(plugin, failing);
    for (Finding& each : ReadFailing(plugin)) failing.push_back(std::move(each));
    const MutexLock lock(answers->mutex);
    answers->any = true;
    answers->status_json = std::move(status);
    answers->failing = std::move(failing);
    answers->at = SystemClock().BootNow();
  });
}

ProbeView PluginProbe::Wait(Microseconds timeout) const {
  if (plugin_.state() != PluginState::kStarted) return {};
  const bool answered = thread_.WaitUntilIdle(timeout);
  const MutexLock lock(answers_->mutex);
  ProbeView view{answers_->status_json, answers_->failing, std::nullopt};
  if (answered) return view;
  if (answers_->any) {
    view.age = SystemClock().BootNow() - answers_->at;
  } else {
    view.failing.push_back(Defect(plugin_, "SH-0127 status() and failing() have not returned"));
  }
  return view;
}

}  // namespace summa::host
