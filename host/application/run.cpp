#include "host/application/run.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <summa/crash_point.hpp>
#include <summa/json.hpp>

#include "host/application/load.hpp"
#include "host/application/prepare_database.hpp"
#include "host/observe/http_server.hpp"
#include "host/observe/metrics.hpp"
#include "host/observe/status.hpp"
#include "host/schedule/runner.hpp"

namespace summa::host {
namespace {

// A database that is down is asked again after these; a restart takes seconds.
constexpr Microseconds kFirstDatabasePause = std::chrono::milliseconds(250);
constexpr Microseconds kLongestDatabasePause = std::chrono::seconds(15);
constexpr Microseconds kForever = std::chrono::hours(24 * 365);
constexpr int kUnavailableExit = 69;
// One arena per thread would let a host of twenty threads hold far more memory than it uses.
constexpr int kMemoryArenas = 2;

class RunningHost {
 public:
  RunningHost(const LoadedConfiguration& loaded, const Discovery& discovery,
              const RunOptions& options, TerminationSignal& signal)
      : loaded_(loaded),
        settings_(loaded.settings),
        discovery_(discovery),
        options_(options),
        signal_(signal),
        instance_(MakeInstance(settings_.name)),
        begin_(SystemClock().BootTime()),
        control_(settings_.ledger),
        sql_(MakePools(settings_)) {}

  RunOutcome Run() {
    const Plan plan = PlanForWorkers();
    if (!options_.once) StartEndpoint();
    LoadPlugins(plan);
    CrashPoint("host.loaded");
    if (!WaitForDatabase()) return End();
    CrashPoint("host.database-ready");
    plugins_->Start();
    CrashPoint("host.plugins-started");
    StartWorkers(plan);
    CrashPoint("host.workers-started");
    SayWhatRuns();
    if (options_.once) return Once();
    SetState("running");
    signal_.Wait(options_.length ? Remaining(*options_.length) : kForever);
    return End();
  }

 private:
  Microseconds Remaining(Microseconds length) const {
    return std::max(Microseconds(0), length - (SystemClock().BootTime() - begin_));
  }

  // --only needs the plugins of those workers and whoever serves them, no others.
  Plan PlanForWorkers() const {
    Plan plan = PlanPlugins(loaded_.configuration, discovery_);
    if (options_.only.empty()) return plan;
    std::vector<std::string> owners;
    for (const std::string& id : options_.only) {
      const WorkerSettings* worker = loaded_.configuration.FindWorker(id);
      if (worker == nullptr || !worker->enabled) {
        throw Failure("SH-0903",
                      "no enabled worker is called \"" + id + "\"" +
                          (worker == nullptr ? "" : ": it is disabled under schedules:"),
                      "`summa-host workers list` names those that there are.", settings_.file);
      }
      owners.push_back(worker->plugin);
    }
    return Restrict(plan, owners);
  }

  void StartEndpoint() {
    const auto live = [] { return HttpResponse{200, "{\"status\":\"ok\"}", "application/json"}; };
    const auto ready = [this] {
      const std::vector<FailingItem> failing = Failing();
      return HttpResponse{failing.empty() ? 200 : 503, ReadinessJson(failing), "application/json"};
    };
    const auto status = [this] {
      return HttpResponse{200, StatusJson(Report()), "application/json"};
    };
    const auto metrics = [] {
      return HttpResponse{200, MetricsText(), "text/plain; version=0.0.4; charset=utf-8"};
    };
    http_ = std::make_unique<HttpServer>(settings_.listen,
                                         std::vector<HttpRoute>{{"/livez", live, true},
                                                                {"/readyz", ready, false},
                                                                {"/status", status, false},
                                                                {"/metrics", metrics, false}});
    Log(LogLevel::kInfo, "", "listening", {{"address", http_->address()}});
  }

  void LoadPlugins(const Plan& plan) {
    HostTableSettings table;
    table.version = SUMMA_VERSION;
    table.instance = instance_;
    table.sql = &sql_;
    plugins_ = std::make_unique<PluginSet>(loaded_.configuration, plan, std::move(table));
    seen_plugins_ = plugins_.get();
  }

  // False: told to stop before there was one.
  bool WaitForDatabase() {
    SetState("waiting for database");
    Microseconds pause = kFirstDatabasePause;
    const std::optional<Microseconds> limit = options_.once ? options_.wait : options_.length;
    for (;;) {
      try {
        layout_ = PrepareDatabase(control_, settings_);
        Log(LogLevel::kInfo, "", "database is ready",
            {{"layout", layout_ == Layout::kPlan ? "plan" : "deployed"}});
        return true;
      } catch (const Failure& failure) {
        if (ExitCode(failure.error()) != kUnavailableExit) throw;
        if (limit && Remaining(*limit) <= Microseconds(0)) throw;
        LogError(LogLevel::kWarn, failure.error(), {{"again_in", FormatDuration(pause.count())}});
      }
      if (signal_.Wait(limit ? std::min(pause, Remaining(*limit)) : pause)) return false;
      pause = std::min(pause * 2, kLongestDatabasePause);
    }
  }

  std::vector<WorkerPlan> WorkerPlans(const Plan& plan) const {
    std::vector<WorkerPlan> workers;
    for (const PlannedPlugin& planned : plan.order) {
      const PluginInstance* plugin = plugins_->Find(planned.id);
      if (plugin == nullptr || plugin->state() != PluginState::kStarted) continue;
      for (const WorkerDeclaration& declared : plugin->manifest().workers) {
        const bool named = options_.only.empty() ||
                           std::find(options_.only.begin(), options_.only.end(), declared.id) !=
                               options_.only.end();
        std::optional<WorkerPlan> worker = PlanWorker(loaded_.configuration, declared.id);
        if (!named || !worker) continue;
        // Summa's own runners are expected where Summa's own layout is.
        worker->keep_lease_row =
            loaded_.configuration.share_with_node.value_or(layout_ == Layout::kDeployed);
        worker->worker = plugin->Worker(declared.id);
        if (worker->worker != nullptr) workers.push_back(std::move(*worker));
      }
    }
    return workers;
  }

  void StartWorkers(const Plan& plan) {
    leases_ =
        std::make_unique<LeaseKeeper>(settings_.ledger, instance_, SystemClock(),
                                      [this](const std::string& worker) { LeaseLost(worker); });
    const RunnerServices services{&sql_, leases_.get(), &control_, &SystemClock(), settings_.name};
    runner_ = std::make_unique<Runner>(WorkerPlans(plan), services);
    seen_runner_ = runner_.get();
    if (!options_.once) runner_->Start();
  }

  void LeaseLost(const std::string& worker) {
    if (Runner* runner = seen_runner_.load()) runner->LeaseLost(worker);
  }

  // The start table: one line per plugin.
  void SayWhatRuns() const {
    for (const PluginReport& plugin : plugins_->Report()) {
      const bool well = plugin.state == Word(PluginState::kStarted);
      Log(well ? LogLevel::kInfo : LogLevel::kError, plugin.error ? plugin.error->code : "",
          well ? "plugin runs" : "plugin does not run",
          {{"plugin", plugin.id}, {"version", plugin.version}, {"state", plugin.state}});
      GaugeMetric("summa_plugin_info", "1 for each plugin of this host, by version and state.",
                  {{"plugin", plugin.id}, {"version", plugin.version}, {"state", plugin.state}})
          ->Set(1);
    }
    GaugeMetric("summa_build_info", "1, with the version of the host.",
                {{"version", SUMMA_VERSION}})
        ->Set(1);
    Log(LogLevel::kInfo, "", "host runs",
        {{"host", settings_.name}, {"version", SUMMA_VERSION}, {"instance", instance_}});
  }

  RunOutcome Once() {
    const std::vector<OnceReport> reports =
        runner_->RunOnce(options_.wait, [this] { return signal_.requested(); });
    RunOutcome outcome;
    outcome.errors = plugins_->Errors();
    JsonWriter json;
    json.BeginObject().Key("workers").BeginArray();
    for (const OnceReport& report : reports) {
      json.BeginObject().Member("id", report.id).Member("plugin", report.plugin);
      json.Member("outcome", report.outcome).Member("runs", report.runs);
      json.Member("items", report.items);
      json.Member("durationMs", report.duration.count() / 1000);
      json.TextOrNull("error", report.error).EndObject();
      if (outcome.exit_code == 0) outcome.exit_code = report.exit_code;
    }
    json.EndArray();
    for (const PluginReport& plugin : plugins_->Report()) {
      if (!plugin.details_json.empty()) json.Key(plugin.id).Raw(plugin.details_json);
    }
    outcome.json = json.EndObject().Take();
    if (signal_.requested()) {
      outcome.errors.push_back({"SH-0904", "told to stop before every worker was done", "", ""});
    }
    leases_->ReleaseAll();
    plugins_->Stop();
    return outcome;
  }

  // Workers stop first, then the endpoint (which still answers meanwhile), then the plugins.
  RunOutcome End() {
    SetState("draining");
    CrashPoint("host.draining");
    RunOutcome outcome;
    std::vector<std::string> left;
    if (runner_) left = runner_->Stop(settings_.drain_timeout);
    CrashPoint("host.drained");
    if (http_) http_->Stop();
    JsonWriter json;
    json.BeginObject().Key("notStopped").BeginArray();
    for (const std::string& worker : left) {
      json.Value(worker);
      outcome.errors.push_back(
          {"SH-0904",
           "worker " + worker + " did not stop within host.drain_timeout (" +
               FormatDuration(settings_.drain_timeout.count()) + ")",
           "Nothing it had not committed counts; another host takes over when its lease ends.",
           ""});
    }
    outcome.json = json.EndArray().EndObject().Take();
    outcome.threads_left = !left.empty();
    // A plugin whose worker still runs must not be stopped below it.
    if (left.empty() && plugins_) plugins_->Stop();
    CrashPoint("host.stopped");
    Log(LogLevel::kInfo, "", "host ended", {{"not_stopped", std::to_string(left.size())}});
    return outcome;
  }

  void SetState(const char* state) { state_.store(state); }

  HostReport Report() {
    HostReport report;
    report.host = settings_.name;
    report.version = SUMMA_VERSION;
    report.state = state_.load();
    if (const PluginSet* plugins = seen_plugins_.load()) report.plugins = plugins->Report();
    if (const Runner* runner = seen_runner_.load()) report.workers = runner->Report();
    return report;
  }

  std::vector<FailingItem> Failing() {
    const HostReport report = Report();
    std::vector<FailingItem> failing;
    if (report.state != "running") {
      failing.push_back({"host", "it is " + report.state, "Wait, and look at the log."});
    }
    for (const PluginReport& plugin : report.plugins) {
      if (!plugin.error) continue;
      failing.push_back({"plugin " + plugin.id, plugin.error->code + " " + plugin.error->message,
                         plugin.error->hint});
    }
    for (const WorkerReport& worker : report.workers) {
      if (worker.state != "parked" && worker.state != "error") continue;
      failing.push_back(
          {"worker " + worker.id, worker.last_error,
           worker.state == "parked"
               ? "Repair it, then run `summa-host workers resume " + worker.id + "`."
               : "`summa-host explain CODE` says more; it is tried again by itself."});
    }
    return failing;
  }

  const LoadedConfiguration& loaded_;
  const Settings& settings_;
  const Discovery& discovery_;
  const RunOptions& options_;
  TerminationSignal& signal_;
  const std::string instance_;
  const Microseconds begin_;
  std::atomic<const char*> state_{"starting"};
  Layout layout_ = Layout::kDeployed;  // [main]; known once the database is ready
  // What the endpoint and the keeper of leases may look at: set once, when it is whole. No lock, so
  // that a plugin that hangs in its status keeps nobody else waiting.
  std::atomic<const PluginSet*> seen_plugins_{nullptr};
  std::atomic<Runner*> seen_runner_{nullptr};

  // In the order in which they are made; destroyed in reverse.
  ControlPlane control_;
  SqlService sql_;
  std::unique_ptr<PluginSet> plugins_;
  std::unique_ptr<LeaseKeeper> leases_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace

RunOutcome RunHost(const LoadedConfiguration& loaded, const Discovery& plugins,
                   const RunOptions& options, TerminationSignal& signal) {
  mallopt(M_ARENA_MAX, kMemoryArenas);
  ConfigureLog(loaded.settings.log_level, loaded.settings.log_format);
  for (const Error& warning : loaded.warnings) LogError(LogLevel::kWarn, warning);
  auto host = std::make_unique<RunningHost>(loaded, plugins, options, signal);
  RunOutcome outcome = host->Run();
  // The abandoned thread may still look at its worker's objects: they live until the process ends.
  if (outcome.threads_left) static_cast<void>(host.release());
  return outcome;
}

}  // namespace summa::host
