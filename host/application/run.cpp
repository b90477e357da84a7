#include "host/application/run.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <summa/backoff.hpp>
#include <summa/crash_point.hpp>
#include <summa/json.hpp>
#include <utility>

#include "host/application/crash_report.hpp"
#include "host/application/fleet_view.hpp"
#include "host/application/plugin_processes.hpp"
#include "host/application/plugin_routes.hpp"
#include "host/application/plugin_set.hpp"
#include "host/application/prepare_database.hpp"
#include "host/application/readiness.hpp"
#include "host/application/reload.hpp"
#include "host/application/scrape.hpp"
#include "host/application/status.hpp"
#include "host/bus/inbox.hpp"
#include "host/database/worker_store.hpp"
#include "host/find.hpp"
#include "host/http/http_server.hpp"
#include "host/http/openapi.hpp"
#include "host/observe/host_metrics.hpp"
#include "host/process/process_endpoint.hpp"
#include "host/schedule/runner.hpp"
#include "host/settings/host_workers.hpp"

namespace summa::host {
namespace {

// A database that is down is asked again after these; a restart takes seconds.
constexpr Microseconds kFirstDatabasePause = std::chrono::milliseconds(250);
constexpr Microseconds kLongestDatabasePause = std::chrono::seconds(15);
// A plugin that could not begin, for example because its bus is unreachable, is asked again this
// often.
constexpr Microseconds kFirstActivityPause = std::chrono::milliseconds(250);
constexpr Microseconds kLongestActivityPause = std::chrono::seconds(5);
constexpr Microseconds kForever = std::chrono::hours(24 * 365);
// How long an answer of a probe waits for plugins: probes themselves give up after a second.
constexpr Microseconds kProbeTimeout = std::chrono::milliseconds(500);
// A process answers its host before that gives up.
constexpr Microseconds kProcessProbeTimeout = std::chrono::milliseconds(300);
// For the summary of `run --once`.
constexpr Microseconds kLastTimeout = std::chrono::seconds(5);
// One arena per thread would let a host of twenty threads hold far more memory than it uses.
constexpr int kMemoryArenas = 2;

// Whether a key is in the part of this plugin.
bool IsOfPlugin(const std::string& path, const std::string& plugin) {
  const std::string section = "plugins." + plugin;
  if (!path.starts_with(section)) return false;
  return path.size() == section.size() || path[section.size()] == '.' ||
         path[section.size()] == '[';
}

class RunningHost {
 public:
  RunningHost(const LoadedConfiguration& loaded, const Discovery& discovery,
              const RunOptions& options, TerminationSignal& signal)
      : loaded_(loaded),
        settings_(loaded.settings),
        discovery_(discovery),
        options_(options),
        signal_(signal),
        reload_(loaded, discovery, [this](const std::string& path) { return Concerns(path); }),
        instance_(MakeInstance(settings_.name)),
        begin_(SystemClock().BootNow()),
        control_(std::in_place, settings_.ledger),
        store_(settings_.ledger),
        fleet_(role_ ? nullptr : std::make_unique<FleetView>(settings_.ledger, SystemClock())),
        pools_(MakePools(WithShares(loaded, discovery, options))),
        sql_(pools_) {
    PrepareCrashReport(settings_.ledger, settings_.name, instance_);
    SetHostMetric(
        "summa_build_info", 1,
        {SUMMA_VERSION, std::to_string(SUMMA_ABI_MAJOR) + "." + std::to_string(SUMMA_ABI_MINOR)});
  }

  // The plugins live longer than the leases, and may use them until they end.
  ~RunningHost() { lease_service_.Show(nullptr); }
  RunningHost(const RunningHost&) = delete;
  RunningHost& operator=(const RunningHost&) = delete;

  VerbResult Run() {
    Plan plan = PlanForWorkers();
    const Schemas schemas = SchemasOf(settings_, plan);
    TakeProcesses(plan);
    if (!options_.once) StartEndpoint(plan);
    LoadPlugins(plan);
    CrashPoint("host.loaded");
    if (!WaitForDatabase(schemas)) return End();
    CrashPoint("host.database-ready");
    if (processes_) processes_->Start();
    StartPlugins();
    CrashPoint("host.plugins-started");
    if (signal_.requested() && !options_.once) return End();
    if (role_ && !Works(role_->plugin)) return EndWithout();
    StartWorkers(plan);
    CrashPoint("host.workers-started");
    LogRunningPlugins();
    if (options_.once) return Once();
    SetState("running");
    if (role_) role_->host->SayRunning();
    ActivateAndWait();
    return End();
  }

 private:
  static Settings WithShares(const LoadedConfiguration& loaded, const Discovery& discovery,
                             const RunOptions& options) {
    Settings settings = loaded.settings;
    // A process has its pool for one plugin.
    if (options.role) return settings;
    settings.ledger.shares = SharesOfPlugins(loaded, Manifests(discovery));
    if (settings.read) settings.read->shares = settings.ledger.shares;
    return settings;
  }

  // What is configured elsewhere takes effect elsewhere, and is said there.
  bool Concerns(const std::string& path) const {
    if (role_) return IsOfPlugin(path, role_->plugin);
    for (const PluginSettings& plugin : loaded_.configuration.plugins) {
      if (plugin.isolated && IsOfPlugin(path, plugin.id)) return false;
    }
    return true;
  }

  // `run --once` is a process for one purpose, which isolates nothing.
  void TakeProcesses(Plan& plan) {
    if (role_ || options_.once) return;
    isolated_ = TakeIsolated(plan, loaded_.configuration);
    if (isolated_.order.empty()) return;
    processes_ = std::make_unique<PluginProcesses>(
        loaded_, isolated_, options_.only, discovery_,
        [this](const std::vector<std::string>& workers, const std::string& holder) {
          store_.ReleaseLeases(workers, holder);
        });
  }

  bool Works(const std::string& id) const {
    const PluginInstance* plugin = plugins_->Find(id);
    return plugin != nullptr && plugin->state() == PluginState::kStarted;
  }

  // A process whose plugin does not run has nothing to do.
  VerbResult EndWithout() {
    std::vector<Error> errors = plugins_->Errors();
    VerbResult outcome = End();
    outcome.errors.insert(outcome.errors.begin(), errors.begin(), errors.end());
    return outcome;
  }

  // Of a process: a worker that does not return keeps a core, or a thread, for as long as it lives.
  void EndForStuck(const Error& error) {
    {
      const MutexLock lock(end_mutex_);
      if (!end_reason_) end_reason_ = error;
    }
    signal_.RequestStop();
  }

  Microseconds Remaining(Microseconds length) const {
    return std::max(Microseconds(0), length - (SystemClock().BootNow() - begin_));
  }

  TerminationSignal::Event WaitForEvent(Microseconds time) {
    const TerminationSignal::Event event = signal_.WaitForEvent(time);
    if (event == TerminationSignal::Event::kReload) {
      const std::optional<std::string> text =
          role_ ? role_->host->TakeConfiguration() : std::nullopt;
      const bool taken = reload_.Run(*plugins_, text ? &*text : nullptr);
      if (taken && processes_) processes_->Reload(reload_.text());
      RenewToken();
      PrepareCrashReport(settings_.ledger, settings_.name, instance_);
    }
    return event;
  }

  // --only needs the plugins of those workers and the plugins that they require, no others.
  Plan PlanForWorkers() const {
    Plan plan = PlanPlugins(loaded_, discovery_);
    if (role_) return Restrict(plan, {role_->plugin});
    if (options_.only.empty()) return plan;
    std::vector<std::string> owners;
    for (const std::string& id : options_.only) {
      const WorkerSettings* worker = loaded_.configuration.FindWorker(id);
      if (worker == nullptr || !worker->enabled) {
        throw Failure("SH-0903",
                      "no enabled worker is called \"" + id + "\"" +
                          (worker == nullptr ? "" : ": it is disabled under schedules:"),
                      "`summa-host workers list` lists the existing ones.", settings_.file);
      }
      owners.push_back(worker->plugin);
    }
    return Restrict(plan, owners);
  }

  std::vector<HttpRoute> HostRoutes() {
    const auto live = [](HttpCall&) { return HttpResponse{200, "{\"status\":\"ok\"}"}; };
    const auto ready = [this](HttpCall&) {
      const Readiness now = Ready();
      return HttpResponse{now.failing.empty() ? 200 : 503, ReadinessJson(now)};
    };
    const auto status = [this](HttpCall&) { return HttpResponse{200, Status()}; };
    const auto metrics = [this](HttpCall&) {
      return HttpResponse{200, scrape_.Text(MakeScrapeView()),
                          "text/plain; version=0.0.4; charset=utf-8"};
    };
    HttpRoute api_status =
        HostRoute("/api/v1/status", "Plugins and workers of this host.", status, "status");
    api_status.declared.needs_token = true;
    api_status.revalidates = true;
    return {
        HostRoute("/livez", "Whether the process is alive.", live, ""),
        HostRoute("/readyz", "Whether the host does its work, and what fails.", ready, "readyz"),
        HostRoute("/metrics", "The metrics, for Prometheus.", metrics, "metrics"),
        HostRoute("/status", "Plugins and workers of this host.", status, "status"),
        std::move(api_status)};
  }

  // What a host asks its process for, and what it hands on.
  std::vector<HttpRoute> ProcessRoutes(const Plan& plan) {
    const auto route = [](const char* path, const std::string& pool, auto handler) {
      HttpRoute made = HostRoute(path, "", std::move(handler), pool);
      made.declared.method = kHostMethod;
      return made;
    };
    std::vector<HttpRoute> routes = {
        route(kViewPath, "view",
              [this](HttpCall&) {
                return HttpResponse{200, View()};
              }),
        route(kMetricsPath, "metrics", [this](HttpCall&) {
          return HttpResponse{200, scrape_.Text(MakeScrapeView()), "text/plain"};
        })};
    for (HttpRoute& each : PluginRoutes(
             plan, [this] { return seen_plugins_.load(); }, sql_, settings_.http.time)) {
      if (each.plugin != role_->plugin) continue;
      each.revalidates = false;  // the host does that
      routes.push_back(std::move(each));
    }
    return routes;
  }

  void StartEndpoint(const Plan& plan) {
    if (role_) {
      role_->host->SayHello(instance_);
      role_->host->Serve(ProcessRoutes(plan), settings_.http);
      return;
    }
    access_ = std::make_unique<HttpAccess>(settings_.token_file, settings_.loopback);
    std::vector<HttpRoute> routes = HostRoutes();
    for (HttpRoute& route : PluginRoutes(
             plan, [this] { return seen_plugins_.load(); }, sql_, settings_.http.time)) {
      routes.push_back(std::move(route));
    }
    if (processes_) {
      for (HttpRoute& route : processes_->Routes(settings_.http.time)) {
        routes.push_back(std::move(route));
      }
    }
    HttpRoute description = HostRoute("/openapi.json", "All paths, for tools.", {}, "openapi");
    description.revalidates = true;
    routes.push_back(description);
    routes.back().handler = [text = OpenApiJson(SUMMA_VERSION, routes)](HttpCall&) {
      return HttpResponse{200, text};
    };
    http_ = std::make_unique<HttpServer>(settings_.listen, std::move(routes), settings_.http,
                                         access_.get());
    Log(LogLevel::kInfo, "", "listening", {{"address", http_->address()}});
  }

  // After a SIGHUP. A file that cannot be used keeps the old token in force.
  void RenewToken() {
    if (access_ == nullptr) return;
    try {
      if (access_->Reload()) Log(LogLevel::kInfo, "", "the token of host.token_file was replaced");
    } catch (const Failure& failure) {
      LogError(LogLevel::kError, failure.error());
    }
  }

  void LoadPlugins(const Plan& plan) {
    HostTableSettings table;
    table.version = SUMMA_VERSION;
    table.instance = instance_;
    table.sql = &sql_;
    table.leases = &lease_service_;
    table.consuming = options_.once ? Consuming::kWorkers : Consuming::kAll;
    CallLimits limits = LimitsOf(settings_, [this] { return signal_.requested(); });
    limits.end = [this] { return EndLeft(); };
    plugins_ = std::make_unique<PluginSet>(loaded_.configuration, plan, std::move(table), limits);
    seen_plugins_ = plugins_.get();
  }

  // False: told to stop before there was one.
  bool WaitForDatabase(const Schemas& schemas) {
    SetState("waiting for database");
    Backoff backoff(kFirstDatabasePause, kLongestDatabasePause, Jitter::kNone);
    const std::optional<Microseconds> limit = options_.once ? options_.wait : options_.length;
    for (;;) {
      Microseconds pause{0};
      try {
        layout_ = PrepareDatabase(*control_, settings_, schemas);
        RefuseCrashing();
        Log(LogLevel::kInfo, "", "database is ready",
            {{"layout", layout_ == Layout::kPlan ? "plan" : "deployed"}});
        return true;
      } catch (const Failure& failure) {
        if (!IsTransient(failure.error())) throw;
        if (limit && Remaining(*limit) <= Microseconds(0)) throw;
        pause = backoff.Next();
        LogWaiting(*control_, failure.error(), pause);
      }
      const auto event = WaitForEvent(limit ? std::min(pause, Remaining(*limit)) : pause);
      if (event == TerminationSignal::Event::kStop) return false;
    }
  }

  // A plugin that crashed several hosts would also crash this one.
  void RefuseCrashing() {
    std::vector<std::string> ids;
    for (const PluginReport& plugin : plugins_->Report()) {
      if (plugin.state == ToText(PluginState::kConfigured)) ids.push_back(plugin.id);
    }
    for (const CrashingPlugin& each : store_.orders().CrashingPlugins(ids)) {
      plugins_->Refuse(each.id,
                       {"SH-0349",
                        "plugin \"" + each.id + "\" is parked: " + std::to_string(each.crashes) +
                            " hosts crashed in it; the last one: " + each.crash,
                        "Replace the plugin, then run `summa-host plugins resume " + each.id +
                            "` and start the hosts again.",
                        "", 75});
    }
  }

  // A start() may need something that is unreachable for a moment. Without the database no worker
  // could run anyhow; whatever else a plugin needs keeps the others waiting for start_timeout only.
  void StartPlugins() {
    std::string waits;
    Backoff backoff(kFirstDatabasePause, kLongestDatabasePause, Jitter::kNone);
    BootTime begin;
    plugins_->Start([&](const std::string& id, const Error& error) {
      if (!IsTransient(error)) return false;
      const BootTime now = SystemClock().BootNow();
      if (std::exchange(waits, id) != id) {
        backoff.Reset();
        begin = now;
      }
      std::optional<Microseconds> left = options_.once ? options_.wait : options_.length;
      if (left) left = Remaining(*left);
      if (!IsOfDatabase(error)) {
        const Microseconds rest = settings_.start_timeout - (now - begin);
        left = std::min(left.value_or(rest), rest);
      }
      if (left && *left <= Microseconds(0)) return false;
      const Microseconds pause = backoff.Next();
      LogWaiting(*control_, error, pause);
      if (WaitForEvent(left ? std::min(pause, *left) : pause) == TerminationSignal::Event::kStop) {
        return false;
      }
      return true;
    });
  }

  bool IsNamed(const std::string& worker) const {
    if (role_ && loaded_.configuration.FindWorker(worker)->plugin != role_->plugin) return false;
    return options_.only.empty() || Contains(options_.only, worker);
  }

  // Adds the worker, when it is to run in this host.
  void AddWorker(std::vector<WorkerPlan>& workers, const std::string& id,
                 const summa_worker* function, std::vector<std::string> tables) const {
    std::optional<WorkerPlan> worker = PlanWorker(loaded_.configuration, id);
    if (!worker || !IsNamed(id) || function == nullptr) return;
    // Summa's own runners are expected where Summa's own layout is.
    worker->keep_lease_row =
        loaded_.configuration.share_with_node.value_or(layout_ == Layout::kDeployed);
    worker->worker = function;
    worker->tables = std::move(tables);
    workers.push_back(std::move(*worker));
  }

  std::vector<WorkerPlan> WorkerPlans(const Plan& plan) const {
    std::vector<WorkerPlan> workers;
    for (const PlannedPlugin& planned : plan.order) {
      const PluginInstance* plugin = plugins_->Find(planned.id);
      if (plugin == nullptr || plugin->state() != PluginState::kStarted) continue;
      for (const WorkerDeclaration& declared : plugin->manifest().workers) {
        AddWorker(workers, declared.id, plugin->Worker(declared.id),
                  TablesOf(plugin->manifest(), settings_.ledger.schema));
      }
    }
    AddWorker(workers, InboxCleanup().id, &inbox_worker_, {"summa_host.inbox"});
    return workers;
  }

  void StartWorkers(const Plan& plan) {
    control_.reset();
    leases_ =
        std::make_unique<LeaseKeeper>(settings_.ledger, instance_, SystemClock(),
                                      [this](const std::string& worker) { LeaseLost(worker); });
    lease_service_.Show(leases_.get());
    RunnerServices services{&sql_, leases_.get(), &store_, &SystemClock(), settings_.name};
    if (role_) services.stuck = [this](const Error& error) { EndForStuck(error); };
    runner_ = std::make_unique<Runner>(WorkerPlans(plan), services);
    seen_runner_ = runner_.get();
    if (!options_.once) runner_->Start();
  }

  void LeaseLost(const std::string& worker) {
    if (Runner* runner = seen_runner_.load()) runner->LeaseLost(worker);
  }

  // What is left of drain_timeout; a little in any case, so that a late plugin may still end well.
  Microseconds EndLeft() {
    const BootTime begin = BeginEnd();
    constexpr Microseconds kLeast = std::chrono::milliseconds(500);
    return std::max(kLeast, settings_.drain_timeout - (SystemClock().BootNow() - begin));
  }

  // When the end began: asked once, or again.
  BootTime BeginEnd() {
    BootTime none;
    end_begin_.compare_exchange_strong(none, SystemClock().BootNow());
    return end_begin_.load();
  }

  // What plugins do by themselves begins, also when what it needs comes late. Until told to stop.
  void ActivateAndWait() {
    const Microseconds length = options_.length.value_or(kForever);
    Backoff backoff(kFirstActivityPause, kLongestActivityPause, Jitter::kNone);
    const std::string only = role_ ? role_->plugin : "";  // providers are active in the host
    bool active = plugins_->Activate(only);
    for (;;) {
      const Microseconds left = Remaining(length);
      const auto event = WaitForEvent(active ? left : std::min(backoff.Next(), left));
      if (event == TerminationSignal::Event::kStop || Remaining(length).count() == 0) return;
      if (active) continue;
      active = plugins_->Activate(only);
    }
  }

  // The start table: one line per plugin.
  void LogRunningPlugins() const {
    for (const PluginReport& plugin : plugins_->Report()) {
      if (role_ && plugin.id != role_->plugin) continue;
      const bool well = plugin.state == ToText(PluginState::kStarted);
      Log(well ? LogLevel::kInfo : LogLevel::kError, plugin.error ? plugin.error->code : "",
          well ? "plugin runs" : "plugin does not run",
          {{"plugin", plugin.id}, {"version", plugin.version}, {"state", plugin.state}});
    }
    if (role_) return;
    Log(LogLevel::kInfo, "", "host runs",
        {{"host", settings_.name}, {"version", SUMMA_VERSION}, {"instance", instance_}});
  }

  VerbResult Once() {
    const std::vector<OnceReport> reports =
        runner_->RunOnce(options_.wait, [this] { return signal_.requested(); });
    VerbResult outcome;
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
    PluginSet::ProbeResult probed = plugins_->Probe(kLastTimeout);
    for (const PluginReport& plugin : probed.reports) {
      if (!plugin.details_json.empty()) json.Key(plugin.id).Raw(plugin.details_json);
    }
    for (const auto& [plugin, finding] : probed.failing) {
      if (finding.severity != Severity::kError) continue;
      Log(LogLevel::kWarn, "", "a plugin reports a failure",
          {{"plugin", plugin}, {"what", finding.check}, {"why", finding.found}});
    }
    outcome.json = json.EndObject().Take();
    if (signal_.requested()) {
      outcome.errors.push_back({"SH-0904", "told to stop before every worker was done", "", ""});
    }
    leases_->ReleaseAll();
    EndPlugins(outcome);
    return outcome;
  }

  // What plugins do by themselves stops first, then workers, then the endpoint (which still answers
  // meanwhile), then the plugins.
  VerbResult End() {
    SetState("draining");
    BeginEnd();
    CrashPoint("host.draining");
    VerbResult outcome;
    std::vector<std::string> left;
    if (processes_) processes_->TellToStop();
    if (plugins_) plugins_->Deactivate();
    if (runner_) left = runner_->Stop(settings_.drain_timeout);
    CrashPoint("host.drained");
    if (http_) http_->Stop();
    if (role_) role_->host->StopServing();
    if (processes_) outcome.errors = processes_->AwaitStop();
    AddEndReason(outcome);
    JsonWriter json;
    json.BeginObject().Key("notStopped").BeginArray();
    for (const std::string& worker : left) {
      json.Value(worker);
      outcome.errors.push_back({"SH-0904",
                                "worker " + worker + " did not stop within host.drain_timeout (" +
                                    FormatDuration(settings_.drain_timeout.count()) + ")",
                                "What it had not committed is rolled back; another host takes over "
                                "when its lease expires.",
                                ""});
    }
    outcome.json = json.EndArray().EndObject().Take();
    outcome.threads_left = !left.empty();
    // A plugin whose worker still runs must not be stopped below it.
    if (left.empty() && plugins_) EndPlugins(outcome);
    CrashPoint("host.stopped");
    Log(LogLevel::kInfo, "", "host ended", {{"not_stopped", std::to_string(left.size())}});
    return outcome;
  }

  void AddEndReason(VerbResult& outcome) {
    const MutexLock lock(end_mutex_);
    if (end_reason_) outcome.errors.insert(outcome.errors.begin(), *end_reason_);
  }

  // One that does not return is named, and ends the process with 75.
  void EndPlugins(VerbResult& outcome) {
    BeginEnd();
    std::vector<Error> lost = plugins_->End();
    outcome.errors.insert(outcome.errors.end(), lost.begin(), lost.end());
    if (CallThread::AnyLeft()) outcome.threads_left = true;
  }

  void SetState(const char* state) { state_.store(state); }

  HostReport Report() {
    HostReport report;
    report.host = settings_.name;
    report.version = SUMMA_VERSION;
    report.state = state_.load();
    if (const PluginSet* plugins = seen_plugins_.load()) report.plugins = plugins->Report();
    if (processes_) Append(report.plugins, processes_->Report());
    if (const Runner* runner = seen_runner_.load()) report.workers = runner->Report();
    return report;
  }

  template <typename T>
  static void Append(std::vector<T>& all, std::vector<T> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  }

  // Whether there is anything to read of the fleet: not before the workers are there.
  bool ReadsFleet(const HostReport& report) const {
    return fleet_ != nullptr && (!report.workers.empty() || (processes_ && seen_runner_.load()));
  }

  std::string Status() {
    HostReport report = Report();
    if (const PluginSet* plugins = seen_plugins_.load()) {
      report.plugins = plugins->Probe(kProbeTimeout).reports;
      if (processes_) {
        PluginProcesses::Probed probed = processes_->Probe(kProbeTimeout);
        Append(report.plugins, std::move(probed.plugins));
        report.workers_of_processes = std::move(probed.workers);
      }
    }
    if (ReadsFleet(report)) report.operations = fleet_->Read().operations;
    return StatusJson(report);
  }

  // What a process says of its plugin.
  std::string View() {
    ProcessView view;
    const HostReport report = Report();
    ReadinessView ready;
    ready.report.state = "running";  // the host knows by itself
    ready.report.workers = report.workers;
    if (const PluginSet* plugins = seen_plugins_.load()) {
      PluginSet::ProbeResult probed = plugins->Probe(kProcessProbeTimeout);
      for (PluginReport& plugin : probed.reports) {
        if (plugin.id == role_->plugin) view.plugin = std::move(plugin);
      }
      // What providers say, the host knows from its own.
      std::erase_if(probed.failing,
                    [this](const auto& each) { return each.plugin != role_->plugin; });
      ready.plugins = std::move(probed.failing);
    }
    ready.calls = SlowCalls();
    ready.sessions = RefusedSessions();
    view.readiness = EvaluateReadiness(ready);
    for (const WorkerReport& worker : report.workers) {
      JsonWriter json;
      WriteWorker(json, worker);
      view.workers.push_back(json.Take());
    }
    return Encode(view);
  }

  std::vector<std::string> RefusedSessions() const {
    std::vector<std::string> sessions;
    for (const auto& [database, pool] : pools_) {
      if (std::string refused = pool->Use().refused; !refused.empty()) {
        sessions.push_back(std::move(refused));
      }
    }
    return sessions;
  }

  ScrapeView MakeScrapeView() {
    ScrapeView view;
    view.report = Report();
    if (ReadsFleet(view.report)) view.fleet = fleet_->Read();
    if (role_) view.report.plugins.clear();  // the host exports their states
    if (processes_) {
      view.workers_of_processes = processes_->workers();
      view.processes = processes_->Metrics(kProbeTimeout);
    }
    for (const WorkerReport& worker : view.report.workers) {
      view.leases[worker.id] = leases_->Status(worker.id);  // made before the runner was
    }
    for (const auto& [database, pool] : pools_) view.pools[database] = pool->Use();
    return view;
  }

  Readiness Ready() {
    ReadinessView view;
    view.report = Report();
    if (const PluginSet* plugins = seen_plugins_.load()) {
      PluginSet::ProbeResult probed = plugins->Probe(kProbeTimeout);
      view.report.plugins = std::move(probed.reports);
      view.plugins = std::move(probed.failing);
    }
    Readiness of_processes;
    if (processes_) {
      PluginProcesses::Probed probed = processes_->Probe(kProbeTimeout);
      Append(view.report.plugins, std::move(probed.plugins));
      of_processes = std::move(probed.readiness);
    }
    view.calls = SlowCalls();
    FleetStatus fleet = fleet_->Read();
    view.database = std::move(fleet.error);
    view.report.operations = std::move(fleet.operations);
    view.sessions = RefusedSessions();
    Readiness readiness = EvaluateReadiness(view);
    Append(readiness.failing, std::move(of_processes.failing));
    Append(readiness.warnings, std::move(of_processes.warnings));
    return readiness;
  }

  const LoadedConfiguration& loaded_;
  const Settings& settings_;
  const Discovery& discovery_;
  const RunOptions& options_;
  const std::optional<ProcessRole>& role_ = options_.role;
  TerminationSignal& signal_;
  Reload reload_;  // [main]
  const std::string instance_;
  const BootTime begin_;
  std::atomic<BootTime> end_begin_{BootTime()};  // BootTime(): not yet
  std::atomic<const char*> state_{"starting"};
  Layout layout_ = Layout::kDeployed;  // [main]; known once the database is ready
  Mutex end_mutex_;
  std::optional<Error> end_reason_ SUMMA_GUARDED_BY(end_mutex_);  // of a process
  // What the endpoint and the lease keeper may read: set once, when it is complete. No lock, so
  // that a plugin that hangs in its status keeps nobody else waiting.
  std::atomic<const PluginSet*> seen_plugins_{nullptr};
  std::atomic<Runner*> seen_runner_{nullptr};

  // In the order in which they are made; destroyed in reverse.
  std::optional<ControlPlane> control_;  // until the workers run
  WorkerStore store_;
  const std::unique_ptr<FleetView> fleet_;  // nullptr in a process: the host looks
  Scrape scrape_;
  const std::map<std::string, std::shared_ptr<SessionPool>> pools_;
  SqlService sql_;
  LeaseService lease_service_{SystemClock()};
  InboxCleaner inbox_cleaner_{settings_.inbox_retention};
  const summa_worker inbox_worker_ = summa::detail::WorkerTable(&inbox_cleaner_, InboxCleanup().id);
  Plan isolated_;
  std::unique_ptr<PluginProcesses> processes_;
  std::unique_ptr<PluginSet> plugins_;
  std::unique_ptr<LeaseKeeper> leases_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<HttpAccess> access_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace

VerbResult RunHost(const LoadedConfiguration& loaded, const Discovery& plugins,
                   const RunOptions& options, TerminationSignal& signal) {
  mallopt(M_ARENA_MAX, kMemoryArenas);
  ConfigureLog(loaded.settings.log_level, loaded.settings.log_format);
  for (const Error& warning : loaded.warnings) LogError(LogLevel::kWarn, warning);
  std::unique_ptr<RunningHost, UnlessCallsAreLeft> host(
      new RunningHost(loaded, plugins, options, signal));
  VerbResult outcome = host->Run();
  // The abandoned thread may still look at its worker's objects: they live until the process ends.
  if (outcome.threads_left) static_cast<void>(host.release());
  return outcome;
}

}  // namespace summa::host
