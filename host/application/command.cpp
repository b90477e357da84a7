#include "host/application/command.hpp"

#include <summa/abi/command.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <functional>

#include "host/abi/abi_text.hpp"
#include "host/abi/bus_gate.hpp"
#include "host/abi/foreign_text.hpp"
#include "host/application/plugin_set.hpp"
#include "host/application/prepare_database.hpp"
#include "host/application/requester.hpp"
#include "host/application/termination_signal.hpp"
#include "host/database/fleet_orders.hpp"
#include "host/lease/lease_keeper.hpp"
#include "host/settings/host_workers.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// More than any verb of a person prints; rows of a stream come one by one.
constexpr std::size_t kMaxResultBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxLabelBytes = 200;  // a line of a terminal

// What the verb sees; behind the function pointers of summa_command_call. Exceptions end here.
class Call {
 public:
  // lease_lost: nullptr: it runs under no lease.
  Call(const CommandRequest& request, const summa_sql_v1* sql, TerminationSignal& signal,
       const std::atomic<bool>* lease_lost)
      : verb_(request.declaration.verb),
        emit_(request.emit),
        progress_(request.progress),
        signal_(signal),
        lease_lost_(lease_lost) {
    table_.struct_size = sizeof table_;
    table_.self = this;
    table_.verb = ToAbi(verb_);
    table_.sql = sql;
    table_.option = Option;
    table_.should_stop = ShouldStop;
    table_.wait = Wait;
    table_.emit = Emit;
    table_.progress = Progress;
    for (const auto& [name, value] : request.options->members) {
      if (!value.null) texts_[name] = Text(value);
    }
  }
  const summa_command_call* table() const { return &table_; }
  // Nothing is reported any more: the caller was told that the verb was abandoned.
  void Close() {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  // Why a row was not printed; nullopt: all rows were printed.
  std::optional<std::string> row_problem() {
    const MutexLock lock(mutex_);
    return row_problem_;
  }

 private:
  static Call* Self(const summa_command_call* call) { return static_cast<Call*>(call->self); }

  static std::string Text(const Value& value) {
    if (value.type != Schema::Type::kList) return value.text;
    std::string text;
    for (const Value& item : value.items) text += (text.empty() ? "" : ",") + item.text;
    return text;
  }
  static std::int32_t Option(const summa_command_call* call, summa_str name,
                             summa_str* value) noexcept {
    const auto& texts = Self(call)->texts_;
    const auto found = texts.find(View(name));
    if (found == texts.end()) return 0;
    *value = ToAbi(found->second);
    return 1;
  }
  static std::int32_t ShouldStop(const summa_command_call* call) noexcept {
    return Self(call)->Stopped() ? 1 : 0;
  }
  static std::int32_t Wait(const summa_command_call* call, std::int64_t microseconds) noexcept {
    // In pieces: a lost lease has no signal that would wake it.
    constexpr Microseconds kPiece = std::chrono::milliseconds(200);
    Call* self = Self(call);
    constexpr Microseconds kLongest = std::chrono::hours(24);
    const Microseconds time = std::min(Microseconds(microseconds), kLongest);
    const BootTime end = SystemClock().BootNow() + time;
    for (;;) {
      if (self->Stopped()) return 1;
      const Microseconds left = end - SystemClock().BootNow();
      if (left <= Microseconds(0)) return 0;
      self->signal_.Wait(std::min(left, kPiece));
    }
  }
  static void Emit(const summa_command_call* call, summa_str row) noexcept {
    Call* self = Self(call);
    const MutexLock lock(self->mutex_);
    if (self->closed_ || !self->emit_) return;
    const std::string_view json = View(row);
    std::optional<std::string> problem = ProblemOfObject(json);
    if (!problem && json.find('\n') != json.npos) problem = "it has more than one line";
    if (!problem) return self->emit_(json);
    if (!self->row_problem_) self->row_problem_ = std::move(problem);
  }
  static void Progress(const summa_command_call* call, summa_str label, std::int64_t done,
                       std::int64_t total) noexcept {
    Call* self = Self(call);
    const MutexLock lock(self->mutex_);
    if (self->closed_ || !self->progress_) return;
    self->progress_(CleanLine(View(label), kMaxLabelBytes), done, total);
  }

  bool Stopped() const { return signal_.requested() || (lease_lost_ != nullptr && *lease_lost_); }

  const std::string verb_;
  const std::function<void(std::string_view)> emit_;
  const std::function<void(std::string_view, std::int64_t, std::int64_t)> progress_;
  TerminationSignal& signal_;
  const std::atomic<bool>* const lease_lost_;
  std::map<std::string, std::string, std::less<>> texts_;
  summa_command_call table_{};
  Mutex mutex_;
  bool closed_ SUMMA_GUARDED_BY(mutex_) = false;
  std::optional<std::string> row_problem_ SUMMA_GUARDED_BY(mutex_);
};

// Members of the envelope around a result: a verb that wrote them would speak for the host.
constexpr std::array<std::string_view, 7> kEnvelope = {"command",    "ok",    "code",  "startedAt",
                                                       "durationMs", "error", "errors"};

Error ResultProblem(const PluginInstance& plugin, const std::string& verb,
                    const std::string& problem) {
  return {"SH-0130", "plugin \"" + plugin.id() + "\": the result of \"" + verb + "\": " + problem,
          "This is a defect of the plugin; report it to its author.", ""};
}

// Runs the verb, given where its result goes.
using VerbFunction =
    std::function<std::int32_t(const summa_command_call*, ForeignJson&, summa_error*)>;

VerbFunction FunctionOfPlugin(const PluginInstance& plugin, const std::string& verb) {
  const auto* commands = plugin.Table<summa_command_v1>(SUMMA_COMMAND_V1);
  if (commands == nullptr || commands->run == nullptr) {
    throw Failure("SH-0123", "plugin \"" + plugin.id() + "\" declares the verb \"" + verb +
                                 "\" but has no summa.command/1");
  }
  return [commands](const summa_command_call* call, ForeignJson& json, summa_error* error) {
    return commands->run(commands->self, call, &ForeignJson::Write, &json, error);
  };
}

// A verb of the host itself; every call of the bus is guarded.
VerbFunction FunctionOfBus(const PluginInstance& plugin, BusVerb verb,
                           std::optional<BusGate>& gate) {
  const auto* bus = plugin.Table<summa_bus_v1>(SUMMA_BUS_V1);
  if (bus == nullptr) {
    throw Failure("SH-0123", "plugin \"" + plugin.id() + "\" provides no " + SUMMA_BUS_V1);
  }
  const summa_bus_v1* guarded =
      gate.emplace(bus, plugin.id(), kHostPlugin, Consuming::kNobody).table();
  return [guarded, verb](const summa_command_call* call, ForeignJson& json, summa_error* error) {
    return summa::detail::Guard(error, [&] {
      const CommandResult done = verb(BusClient(guarded), CommandCall(call));
      ForeignJson::Write(&json, ToAbi(done.json));
      return static_cast<std::int32_t>(done.finding ? SUMMA_E_FINDING : SUMMA_OK);
    });
  };
}

VerbResult Invoke(PluginInstance& plugin, Call& call, const std::string& verb,
                  const VerbFunction& function) {
  const std::string name = "\"" + verb + "\"";
  const auto json = std::make_shared<ForeignJson>(kMaxResultBytes);
  const CallAnswer answer = plugin.TryCall(
      name, Microseconds(0),
      [function, json, &call](summa_error* error) { return function(call.table(), *json, error); });
  call.Close();
  if (!answer.returned) throw Failure(*plugin.error());
  VerbResult outcome;
  const bool good =
      !answer.thrown && (answer.status == SUMMA_OK || answer.status == SUMMA_E_FINDING);
  if (answer.status == SUMMA_E_FINDING) outcome.exit_code = 1;
  if (!good) {
    outcome.errors.push_back(*plugin.ErrorOf(name, answer));
    outcome.exit_code = ExitCode(outcome.errors.front());
  }
  std::optional<std::string> problem = json->Problem(kEnvelope);
  if (!problem) {
    outcome.json = json->Take();
  } else if (good || !json->empty()) {
    outcome.errors.push_back(ResultProblem(plugin, verb, *problem));
  }
  if (const auto row = call.row_problem()) {
    outcome.errors.push_back(ResultProblem(plugin, verb, "a row was not printed: " + *row));
  }
  if (good && !outcome.errors.empty()) outcome.exit_code = ExitCode(outcome.errors.front());
  return outcome;
}

// Asks the host that holds the lease for it. Withdrawn when the lease is there or given up; when
// this process dies it expires soon.
class LeaseRequest {
 public:
  LeaseRequest(FleetOrders& orders, std::string worker, std::string instance)
      : orders_(orders), worker_(std::move(worker)), instance_(std::move(instance)) {}
  ~LeaseRequest() {
    if (!id_) return;
    try {
      orders_.Withdraw(*id_);
    } catch (const std::exception&) {
      // It expires.
    }
  }
  LeaseRequest(const LeaseRequest&) = delete;
  LeaseRequest& operator=(const LeaseRequest&) = delete;

  void Renew() {
    // Several times the pause between two calls of this.
    constexpr Microseconds kLifetime = std::chrono::seconds(10);
    if (id_) return orders_.Extend(*id_, kLifetime);
    id_ = orders_.RequestLease(worker_, instance_, kLifetime);
  }

 private:
  FleetOrders& orders_;
  const std::string worker_, instance_;
  std::optional<std::int64_t> id_;
};

// The lease of the worker whose data the verb changes, for as long as the verb runs.
class VerbLease {
 public:
  VerbLease(const LoadedConfiguration& loaded, const std::string& instance,
            const std::string& worker, SqlService& sql, LeaseService& shown, Microseconds wait,
            TerminationSignal& signal)
      : worker_(worker),
        shown_(shown),
        keeper_(loaded.settings.ledger, instance, SystemClock(),
                [this](const std::string&) { lost_ = true; }) {
    const std::optional<WorkerPlan> plan = PlanWorker(loaded.configuration, worker);
    FleetOrders orders(loaded.settings.ledger);
    LeaseRequest request(orders, worker, instance);
    scope_ = sql.ForLease(Acquire(plan ? plan->lease_ttl : WorkerPlan{}.lease_ttl, request,
                                  SystemClock().BootNow() + wait, signal));
    shown_.Show(&keeper_);
  }
  ~VerbLease() {
    shown_.Show(nullptr);
    scope_.reset();
    keeper_.Release(worker_);
  }
  VerbLease(const VerbLease&) = delete;
  VerbLease& operator=(const VerbLease&) = delete;
  const summa_sql_v1* sql() const { return scope_->table(); }
  const std::atomic<bool>& lost() const { return lost_; }

 private:
  LeaseGuard Acquire(Microseconds time_to_live, LeaseRequest& request, BootTime end,
                     TerminationSignal& signal) {
    constexpr Microseconds kPiece = std::chrono::seconds(2);
    const auto stop = [&signal] { return signal.requested(); };
    for (;;) {
      if (std::optional<LeaseGuard> guard = keeper_.TryAcquire(worker_, time_to_live)) {
        return *guard;
      }
      const Microseconds left = end - SystemClock().BootNow();
      if (left <= Microseconds(0) || stop()) throw Failure(keeper_.HeldElsewhere(worker_));
      request.Renew();
      keeper_.WaitUntilFree(worker_, std::min(left, kPiece), stop);
    }
  }

  const std::string worker_;
  LeaseService& shown_;
  std::atomic<bool> lost_{false};
  LeaseKeeper keeper_;
  std::unique_ptr<SqlScope> scope_;
};

// Of verbs that need no lease and so have no --wait.
constexpr Microseconds kLockWait = std::chrono::seconds(20);

// An unreachable database is reported immediately; a lock of another session is waited for like a
// lease.
void AwaitDatabase(ControlPlane& control, const Settings& settings, const Plan& plan,
                   Microseconds wait, TerminationSignal& signal) {
  constexpr Microseconds kPause = std::chrono::milliseconds(250);
  const BootTime end = SystemClock().BootNow() + wait;
  const Schemas schemas = SchemasOf(settings, plan);
  for (;;) {
    try {
      PrepareDatabase(control, settings, schemas);
      return;
    } catch (const Failure& failure) {
      if (ExitCode(failure.error()) != SUMMA_E_TRY_LATER) throw;
      const Microseconds left = end - SystemClock().BootNow();
      if (left <= Microseconds(0)) throw;
      LogWaiting(control, failure.error(), kPause);
      if (signal.Wait(std::min(left, kPause))) throw;
    }
  }
}

Plan PlanFor(const LoadedConfiguration& loaded, const Discovery& plugins, const std::string& id) {
  const PluginSettings* settings = loaded.configuration.FindPlugin(id);
  if (settings == nullptr || !settings->enabled) {
    throw Failure(
        Error{"SH-0903", "the verb belongs to plugin \"" + id + "\", which is not enabled",
              "Enable it under plugins: in the configuration.", loaded.settings.file, 78});
  }
  return Restrict(PlanPlugins(loaded, plugins), {id});
}

// What a verb is given. It stays until the process ends when the verb does not return.
struct CommandResources {
  TerminationSignal& signal = TerminationSignal::Listen();  // before any thread is started
  std::optional<ControlPlane> control;
  std::optional<SqlService> sql;
  LeaseService leases{SystemClock()};
  std::optional<PluginSet> set;
  std::optional<VerbLease> lease;
  std::optional<BusGate> gate;
  std::optional<Call> call;
};

}  // namespace

VerbResult RunPluginCommand(const LoadedConfiguration& loaded, const Discovery& plugins,
                            const CommandRequest& request) {
  const std::unique_ptr<CommandResources, UnlessCallsAreLeft> resources(new CommandResources);
  // What the command itself has to say is its result; the log is for what goes wrong.
  ConfigureLog(std::max(loaded.settings.log_level, LogLevel::kWarn), loaded.settings.log_format);
  const Plan plan = PlanFor(loaded, plugins, request.plugin);
  ControlPlane& control = resources->control.emplace(loaded.settings.ledger);
  const bool leased = !request.declaration.worker.empty();
  AwaitDatabase(control, loaded.settings, plan, leased ? request.wait : kLockWait,
                resources->signal);
  for (const PlannedPlugin& planned : plan.order) {
    const std::vector<Error> beside = control.RequireWholeTables(
        TablesOf(*planned.file->manifest, loaded.settings.ledger.schema));
    for (const Error& error : beside) LogError(LogLevel::kWarn, error);
  }
  SqlService& sql = resources->sql.emplace(MakePools(loaded.settings));
  HostTableSettings table;
  table.version = SUMMA_VERSION;
  table.instance = MakeInstance(loaded.settings.name);
  table.requester = Requester(loaded.settings.name);
  table.sql = &sql;
  table.leases = &resources->leases;
  const auto stopping = [&signal = resources->signal] { return signal.requested(); };
  PluginSet& set = resources->set.emplace(loaded.configuration, plan, table,
                                          LimitsOf(loaded.settings, stopping));
  set.Start();
  PluginInstance* plugin = set.Find(request.plugin);
  if (plugin == nullptr || plugin->state() != PluginState::kStarted) {
    std::vector<Error> errors = set.Errors();
    if (errors.empty()) errors.push_back({"SH-0904", "told to stop before the verb began", "", ""});
    throw Failures(std::move(errors));
  }
  const std::string& worker = request.declaration.worker;
  const summa_sql_v1* table_of_verb = sql.unleased();
  const std::atomic<bool>* lost = nullptr;
  if (!worker.empty()) {
    const VerbLease& lease = resources->lease.emplace(
        loaded, table.instance, worker, sql, resources->leases, request.wait, resources->signal);
    table_of_verb = lease.sql();
    lost = &lease.lost();
  }
  Call& call = resources->call.emplace(request, table_of_verb, resources->signal, lost);
  const std::string& verb = request.declaration.verb;
  const VerbFunction function = request.bus_verb != nullptr
                                    ? FunctionOfBus(*plugin, request.bus_verb, resources->gate)
                                    : FunctionOfPlugin(*plugin, verb);
  VerbResult outcome = Invoke(*plugin, call, verb, function);
  resources->lease.reset();
  for (Error& error : set.End()) outcome.errors.push_back(std::move(error));
  return outcome;
}

}  // namespace summa::host
