#include <summa/conformance.hpp>

#include <summa/abi/activity.h>
#include <summa/abi/command.h>
#include <summa/abi/endpoint.h>
#include <summa/abi/health.h>
#include <summa/abi/reload.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <summa/error.hpp>
#include "driver.hpp"
#include "json_text.hpp"
#include "lent_call.hpp"

namespace summa::conformance {
namespace {

// What a worker is waited for until it has looked for the first time whether it must stop.
constexpr std::chrono::milliseconds kFirstQuestion{300};
constexpr std::size_t kMostStatements = 25;  // at which a lease is lost
constexpr int kMostTicks = 3;

// Instances of one check. They stay where one is stuck.
class Instances {
 public:
  Instances(std::string_view check, const Subject& subject, Observer& observer)
      : check_(check), subject_(subject), observer_(observer) {}
  Driver& New(Sizes sizes = Sizes::kExact) {
    return *drivers_.emplace_back(std::make_unique<Driver>(check_, subject_, observer_, sizes));
  }
  const Subject& subject() const { return subject_; }
  void Skip(const std::string& why) {
    observer_.Finds({std::string(check_), Outcome::kSkipped, why, ""});
  }

 private:
  const std::string_view check_;
  const Subject& subject_;
  Observer& observer_;
  std::vector<std::unique_ptr<Driver>> drivers_;
};

void CheckStatus(Driver& plugin) {
  const auto* table = plugin.Table<summa_status_v1>(SUMMA_STATUS_V1);
  if (table == nullptr) return;
  const auto written = std::make_shared<std::string>();
  plugin.Call("status()", [table, written](summa_error*) {
    table->status(table->self, &AppendText, written.get());
    return SUMMA_OK;
  });
  if (written->empty()) return;
  constexpr std::size_t kMostBytes = 256 * 1024;
  std::optional<std::string> problem = ProblemOfObject(*written);
  if (!problem && written->size() > kMostBytes) problem = "it is larger than 256 KiB";
  if (problem) {
    plugin.Fail("status(): what it writes cannot be used: " + *problem, "one JSON object in UTF-8");
  } else if (written->starts_with(R"({"error":"StatusJson(): it threw)")) {
    plugin.Fail("status(): " + *written, "it answers from memory, and does not fail");
  }
}

struct Findings {
  std::vector<std::pair<std::int32_t, std::string>> all;
  bool utf8 = true;
  void Add(const summa_finding& finding) {
    const std::string subject(FromAbi(finding.subject)), found(FromAbi(finding.found));
    for (const summa_str text : {finding.subject, finding.found, finding.expected, finding.fix}) {
      utf8 = utf8 && IsUtf8(FromAbi(text));
    }
    all.emplace_back(finding.severity, subject + ": " + found);
  }
};

void JudgeFindings(Driver& plugin, const std::string& call, const Findings& findings) {
  if (!findings.utf8) plugin.Fail(call + ": reported a text that is not UTF-8", "UTF-8");
  for (const auto& [severity, text] : findings.all) {
    if (severity != SUMMA_SEVERITY_ERROR) continue;
    plugin.Unable(call + ": reported " + text, "nothing, where everything that it needs is there");
  }
}

void CheckFailing(Driver& plugin) {
  const auto* table = plugin.Table<summa_health_v1>(SUMMA_HEALTH_V1);
  if (table == nullptr || table->failing == nullptr) return;
  const auto findings = std::make_shared<Findings>();
  plugin.Call("failing()", [table, findings](summa_error*) {
    table->failing(
        table->self,
        [](void* result, const summa_finding* finding) {
          if (finding != nullptr) static_cast<Findings*>(result)->Add(*finding);
        },
        findings.get());
    return SUMMA_OK;
  });
  for (auto& [severity, text] : findings->all) {
    if (text.find("it threw") == std::string::npos) continue;
    plugin.Fail("failing(): " + text, "it answers from memory, and does not fail");
    severity = SUMMA_SEVERITY_OK;
  }
  JudgeFindings(plugin, "failing()", *findings);
}

Answer Activate(Driver& plugin) {
  const auto* table = plugin.Table<summa_activity_v1>(SUMMA_ACTIVITY_V1);
  if (table == nullptr) return {};
  return plugin.Call("activate()",
                     [table](summa_error* error) { return table->activate(table->self, error); });
}

void Deactivate(Driver& plugin) {
  const auto* table = plugin.Table<summa_activity_v1>(SUMMA_ACTIVITY_V1);
  if (table == nullptr) return;
  const Answer answer = plugin.Call("deactivate()", [table](summa_error* error) {
    return table->deactivate(table->self, error);
  });
  if (answer.status == SUMMA_OK) return;
  plugin.Fail("deactivate(): failed: " + answer.message,
              "it ends, whatever the state of the world");
}

// create() and destroy(): another plugin could not be loaded.
void CheckCreate(Instances& instances) {
  Driver& plugin = instances.New();
  plugin.Create();
  plugin.Destroy();
}

// ... configure(), destroy(): another plugin could not be configured, or `config check`.
void CheckConfigure(Instances& instances) {
  Driver& plugin = instances.New();
  plugin.Create();
  plugin.Configure();
  plugin.Destroy();
}

void CheckStart(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  CheckStatus(plugin);
  CheckFailing(plugin);
  plugin.ShutDown();
}

// start() while everything is away; stop(), and start() when it is back.
void CheckUnreachable(Instances& instances) {
  Driver& plugin = instances.New();
  plugin.Create();
  plugin.Configure();
  plugin.host().SetAway(true);
  const Answer answer = plugin.Start();
  plugin.host().SetAway(false);
  if (answer.status == SUMMA_OK) return plugin.ShutDown();
  if (!answer.away()) {
    plugin.Unable("start(): failed with status " + std::to_string(answer.status) +
                      " where the database and other plugins are away: " + answer.message,
                  "SUMMA_E_UNAVAILABLE or SUMMA_E_TRY_LATER, after which the host tries again");
    return plugin.ShutDown();
  }
  plugin.Stop();
  const Answer again = plugin.Start();
  if (again.status != SUMMA_OK) {
    plugin.Unable("start(): fails again after stop(): " + again.message,
                  "it starts when what it needs is back");
  }
  plugin.ShutDown();
}

void CheckActivity(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  if (plugin.Extension(SUMMA_ACTIVITY_V1) == nullptr) {
    instances.Skip("the plugin has no summa.activity/1");
    return plugin.ShutDown();
  }
  Answer answer = Activate(plugin);
  if (answer.status != SUMMA_OK && !answer.away()) {
    plugin.Fail(
        "activate(): failed with status " + std::to_string(answer.status) + ": " + answer.message,
        "it begins, or SUMMA_E_UNAVAILABLE or SUMMA_E_TRY_LATER to be called again");
  } else if (answer.status != SUMMA_OK) {
    plugin.Unable("activate(): " + answer.message, "what it needs is there");
  }
  Deactivate(plugin);
  plugin.ShutDown();

  // Once more while everything is away, and then again.
  Driver& lonely = instances.New();
  if (!lonely.StartUp()) return;
  lonely.host().SetAway(true);
  answer = Activate(lonely);
  lonely.host().SetAway(false);
  if (answer.away()) Activate(lonely);
  Deactivate(lonely);
  lonely.ShutDown();
}

// Before start() and while it runs.
void CheckReload(Instances& instances) {
  Driver& plugin = instances.New();
  plugin.Create();
  plugin.Configure();
  const auto* table = plugin.Table<summa_reload_v1>(SUMMA_RELOAD_V1);
  if (table == nullptr) {
    instances.Skip("the plugin has no summa.reload/1");
    return plugin.Destroy();
  }
  const auto reload = [&] {
    const auto config = plugin.LendConfig("the configuration of reload(), after reload()");
    const auto keys = std::make_shared<std::vector<std::string>>();
    plugin.Call("reload()", [table, config, keys](summa_error* error) {
      return table->reload(
          table->self, config->table(),
          [](void* result, summa_str key) {
            static_cast<std::vector<std::string>*>(result)->emplace_back(FromAbi(key));
          },
          keys.get(), error);
    });
    config->Revoke();
    for (const std::string& key : *keys) {
      if (!IsUtf8(key) || key.empty()) {
        plugin.Fail("reload(): took a key that is no name", "the keys of its configuration");
      }
    }
  };
  reload();
  const Answer started = plugin.Start();
  if (started.status == SUMMA_OK) {
    reload();
  } else {
    plugin.Unable("start(): " + started.message, "what it needs is there");
  }
  plugin.ShutDown();
}

std::shared_ptr<WatchedLease> LeaseFor(const Driver::WorkerOfPlugin& worker,
                                       std::size_t lost_at = 0) {
  return worker.lease ? std::make_shared<WatchedLease>(lost_at) : nullptr;
}

// The ticks of every worker until there is no backlog, as `run --once` calls them.
void TickAll(Driver& plugin) {
  for (const Driver::WorkerOfPlugin& worker : plugin.Workers()) {
    std::uint32_t flags = SUMMA_TICK_ONCE | SUMMA_TICK_NEW_LEASE;
    for (int i = 0; i < kMostTicks; ++i) {
      const auto lease = LeaseFor(worker);
      const auto done = plugin.Tick(worker, std::make_shared<StopSwitch>(lease), lease, flags);
      if (done.answer.status != SUMMA_OK || done.result.backlog == 0) break;
      flags = SUMMA_TICK_ONCE;
    }
  }
}

void CheckWorkers(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  if (plugin.Workers().empty()) instances.Skip("the plugin has no workers");
  Activate(plugin);
  TickAll(plugin);
  Deactivate(plugin);
  plugin.ShutDown();
}

// Told to stop before a tick, and in the middle of one.
void CheckStop(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  if (plugin.Workers().empty()) instances.Skip("the plugin has no workers");
  for (const Driver::WorkerOfPlugin& worker : plugin.Workers()) {
    const auto lease = LeaseFor(worker);
    const auto early = std::make_shared<StopSwitch>(lease);
    early->Stop();
    plugin.Tick(worker, early, lease, SUMMA_TICK_NEW_LEASE);
    const auto stop = std::make_shared<StopSwitch>(lease);
    plugin.Tick(worker, stop, lease, 0, [&] {
      stop->AwaitQuestion(kFirstQuestion);
      stop->Stop();
    });
  }
  plugin.ShutDown();
}

// The lease is lost at each of the statements that a tick makes.
void CheckLease(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  std::size_t statements = 0;
  for (const Driver::WorkerOfPlugin& worker : plugin.Workers()) {
    if (!worker.lease) continue;
    const auto whole = LeaseFor(worker);
    plugin.Tick(worker, std::make_shared<StopSwitch>(whole), whole,
                SUMMA_TICK_ONCE | SUMMA_TICK_NEW_LEASE);
    const std::size_t most = std::min(whole->statements(), kMostStatements);
    statements += most;
    for (std::size_t at = 1; at <= most; ++at) {
      const auto lost = LeaseFor(worker, at);
      plugin.Tick(worker, std::make_shared<StopSwitch>(lost), lost,
                  SUMMA_TICK_ONCE | SUMMA_TICK_NEW_LEASE);
    }
  }
  if (statements == 0) instances.Skip("no worker with a lease made a statement that could be lost");
  plugin.ShutDown();
}

void CheckVerbs(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  const auto* table = plugin.Table<summa_command_v1>(SUMMA_COMMAND_V1);
  const Subject& subject = instances.subject();
  if (table == nullptr || !subject.declared || subject.declared->verbs.empty()) {
    instances.Skip("the manifest declares no verbs");
    return plugin.ShutDown();
  }
  for (const DeclaredVerb& verb : subject.declared->verbs) RunVerb(plugin, *table, verb);
  plugin.ShutDown();
}

void CheckRoutes(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  const auto* table = plugin.Table<summa_endpoint_v1>(SUMMA_ENDPOINT_V1);
  if (table == nullptr || table->route_count == 0) {
    instances.Skip("the plugin has no routes");
    return plugin.ShutDown();
  }
  for (std::uint32_t i = 0; i < table->route_count; ++i) HandleRequest(plugin, *table->routes[i]);
  plugin.ShutDown();
}

// As `doctor` calls it.
void CheckExamine(Instances& instances) {
  Driver& plugin = instances.New();
  if (!plugin.StartUp()) return;
  const auto* table = plugin.Table<summa_health_v1>(SUMMA_HEALTH_V1);
  if (table == nullptr || table->examine == nullptr) {
    instances.Skip("the plugin has nothing to examine");
    return plugin.ShutDown();
  }
  const auto findings = std::make_shared<Findings>();
  const Answer answer =
      Examine(plugin, *table, [findings](const summa_finding& finding) { findings->Add(finding); });
  JudgeFindings(plugin, "examine()", *findings);
  if (answer.status != SUMMA_OK) {
    plugin.Unable("examine(): " + answer.message, "what it looks at is there");
  }
  plugin.ShutDown();
}

// The structs of a later host, with rubbish behind what this one knows.
void CheckSizes(Instances& instances) {
  Driver& plugin = instances.New(Sizes::kLarger);
  if (!plugin.StartUp()) return;
  CheckStatus(plugin);
  CheckFailing(plugin);
  Activate(plugin);
  TickAll(plugin);
  Deactivate(plugin);
  plugin.ShutDown();
}

struct Check {
  std::string_view name;
  void (*run)(Instances& instances);
};
constexpr Check kChecks[] = {
    {"create", &CheckCreate},     {"configure", &CheckConfigure},
    {"start", &CheckStart},       {"unreachable", &CheckUnreachable},
    {"activity", &CheckActivity}, {"reload", &CheckReload},
    {"workers", &CheckWorkers},   {"stop", &CheckStop},
    {"lease", &CheckLease},       {"verbs", &CheckVerbs},
    {"routes", &CheckRoutes},     {"examine", &CheckExamine},
    {"sizes", &CheckSizes},
};

// Passed, when nothing else was found.
class CountingObserver final : public Observer {
 public:
  explicit CountingObserver(Observer& next) : next_(next) {}
  void Begins(std::string_view call) override { next_.Begins(call); }
  void Finds(const Result& result) override {
    found_ = true;
    next_.Finds(result);
  }
  bool found() const { return found_; }

 private:
  Observer& next_;
  std::atomic<bool> found_{false};
};

class Collector final : public Observer {
 public:
  void Begins(std::string_view) override {}
  void Finds(const Result& result) override {
    const MutexLock lock(mutex_);
    results_.push_back(result);
  }
  std::vector<Result> results() const {
    const MutexLock lock(mutex_);
    return results_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Result> results_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace

const std::vector<std::string_view>& Checks() {
  static const auto* const names = [] {
    auto* all = new std::vector<std::string_view>;
    for (const Check& check : kChecks) all->push_back(check.name);
    return all;
  }();
  return *names;
}

bool RunCheck(std::string_view name, const Subject& subject, Observer& observer) {
  const auto* check = std::find_if(std::begin(kChecks), std::end(kChecks),
                                   [&](const Check& each) { return each.name == name; });
  if (check == std::end(kChecks))
    throw Error(SUMMA_E_USAGE, "", "there is no check " + std::string(name));
  auto counting = std::make_unique<CountingObserver>(observer);
  auto instances = std::make_unique<Instances>(check->name, subject, *counting);
  try {
    check->run(*instances);
  } catch (const Broken&) {
    // It was said; the instance is not called again, not even to destroy it.
  } catch (const Stuck&) {
    static_cast<void>(instances.release());
    static_cast<void>(counting.release());
    return false;
  }
  if (!counting->found()) observer.Finds({std::string(name), Outcome::kPassed, "", ""});
  return true;
}

std::vector<Result> RunChecks(const Subject& subject) {
  // What is stuck still uses them.
  auto given = std::make_unique<Subject>(subject);
  auto collector = std::make_unique<Collector>();
  bool stuck = false;
  for (const std::string_view name : Checks()) {
    stuck = !RunCheck(name, *given, *collector);
    if (stuck) break;
  }
  std::vector<Result> results = collector->results();
  if (stuck) {
    static_cast<void>(given.release());
    static_cast<void>(collector.release());
  }
  return results;
}

}  // namespace summa::conformance
