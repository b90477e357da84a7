#include "host/application/command.hpp"

#include <summa/abi/command.h>

#include <algorithm>
#include <atomic>
#include <exception>

#include "host/application/load.hpp"
#include "host/application/prepare_database.hpp"
#include "host/application/termination_signal.hpp"
#include "host/database/fleet_orders.hpp"
#include "host/lease/lease_keeper.hpp"

namespace summa::host {
namespace {

summa_str ToText(std::string_view text) { return {text.data(), text.size()}; }
std::string_view FromText(summa_str text) { return {text.data, text.size}; }

// What the verb sees; behind the function pointers of summa_command_call. Exceptions end here.
class Call {
 public:
  Call(const CommandRequest& request, const summa_sql_v1* sql, TerminationSignal& signal,
       const std::atomic<bool>& lease_lost)
      : request_(request), signal_(signal), lease_lost_(lease_lost) {
    table_.struct_size = sizeof table_;
    table_.self = this;
    table_.verb = ToText(request.declaration.verb);
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
    const auto found = texts.find(FromText(name));
    if (found == texts.end()) return 0;
    *value = ToText(found->second);
    return 1;
  }
  static std::int32_t ShouldStop(const summa_command_call* call) noexcept {
    return Self(call)->Stopped() ? 1 : 0;
  }
  static std::int32_t Wait(const summa_command_call* call, std::int64_t microseconds) noexcept {
    // In pieces: a lost lease has no signal that would wake it.
    constexpr Microseconds kPiece = std::chrono::milliseconds(200);
    Call* self = Self(call);
    const Microseconds end = SystemClock().BootTime() + Microseconds(microseconds);
    for (;;) {
      if (self->Stopped()) return 1;
      const Microseconds left = end - SystemClock().BootTime();
      if (left <= Microseconds(0)) return 0;
      self->signal_.Wait(std::min(left, kPiece));
    }
  }
  static void Emit(const summa_command_call* call, summa_str row) noexcept {
    if (Self(call)->request_.emit) Self(call)->request_.emit(FromText(row));
  }
  static void Progress(const summa_command_call* call, summa_str label, std::int64_t done,
                       std::int64_t total) noexcept {
    if (Self(call)->request_.progress) Self(call)->request_.progress(FromText(label), done, total);
  }

  bool Stopped() const { return signal_.requested() || lease_lost_; }

  const CommandRequest& request_;
  TerminationSignal& signal_;
  const std::atomic<bool>& lease_lost_;
  std::map<std::string, std::string, std::less<>> texts_;
  summa_command_call table_{};
};

CommandOutcome Invoke(const PluginInstance& plugin, const Call& call, const std::string& verb) {
  const summa_command_v1* commands = plugin.Commands();
  if (commands == nullptr || commands->run == nullptr) {
    throw Failure("SH-0123", "plugin \"" + plugin.id() + "\" declares the verb \"" + verb +
                                 "\" but has no summa.command/1");
  }
  CommandOutcome outcome;
  std::string json;
  const auto write = [](void* result, summa_str text) {
    static_cast<std::string*>(result)->append(text.data, text.size);
  };
  summa_error error{};
  error.struct_size = sizeof error;
  std::int32_t status = SUMMA_E_INTERNAL;
  try {
    status = commands->run(commands->self, call.table(), write, &json, &error);
  } catch (...) {
    throw Failure("SH-0124",
                  "plugin \"" + plugin.id() + "\" threw an exception out of \"" + verb + "\"",
                  "This is a defect of the plugin; report it to its author.");
  }
  if (!json.empty()) outcome.json = std::move(json);
  if (status == SUMMA_E_FINDING) outcome.exit_code = 1;
  if (status != SUMMA_OK && status != SUMMA_E_FINDING) {
    outcome.errors.push_back(FromPlugin(plugin.manifest(), "\"" + verb + "\"", status, error));
    outcome.exit_code = outcome.errors.front().exit_code;
  }
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

  void Uphold() {
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
                                  SystemClock().BootTime() + wait, signal));
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
  LeaseGuard Acquire(Microseconds time_to_live, LeaseRequest& request, Microseconds end,
                     TerminationSignal& signal) {
    constexpr Microseconds kPiece = std::chrono::seconds(2);
    const auto stop = [&signal] { return signal.requested(); };
    for (;;) {
      if (std::optional<LeaseGuard> guard = keeper_.TryAcquire(worker_, time_to_live)) {
        return *guard;
      }
      const Microseconds left = end - SystemClock().BootTime();
      if (left <= Microseconds(0) || stop()) throw Held();
      request.Uphold();
      keeper_.WaitUntilFree(worker_, std::min(left, kPiece), stop);
    }
  }

  Failure Held() {
    constexpr Microseconds kHolderLook = std::chrono::milliseconds(200);
    keeper_.WaitUntilFree(worker_, kHolderLook, {});  // a look, so that the holder can be named
    const std::string holder = keeper_.Status(worker_).holder;
    return Failure(Error{"SH-0323",
                         "the lease of worker " + worker_ + " is held by " +
                             (holder.empty() ? "another process" : holder),
                         "Try again when that host is done, give a longer --wait, or stop it.", "",
                         75});
  }

  const std::string worker_;
  LeaseService& shown_;
  std::atomic<bool> lost_{false};
  LeaseKeeper keeper_;
  std::unique_ptr<SqlService::Scope> scope_;
};

Plan PlanFor(const LoadedConfiguration& loaded, const Discovery& plugins, const std::string& id) {
  const PluginSettings* settings = loaded.configuration.FindPlugin(id);
  if (settings == nullptr || !settings->enabled) {
    throw Failure(
        Error{"SH-0903", "the verb belongs to plugin \"" + id + "\", which is not enabled",
              "Enable it under plugins: in the configuration.", loaded.settings.file, 78});
  }
  return Restrict(PlanPlugins(loaded.configuration, plugins), {id});
}

}  // namespace

CommandOutcome RunPluginCommand(const LoadedConfiguration& loaded, const Discovery& plugins,
                                const CommandRequest& request) {
  // Before any thread is started.
  TerminationSignal signal;
  // What the command itself has to say is its result; the log is for what goes wrong.
  ConfigureLog(std::max(loaded.settings.log_level, LogLevel::kWarn), loaded.settings.log_format);
  const Plan plan = PlanFor(loaded, plugins, request.plugin);
  ControlPlane control(loaded.settings.ledger);
  PrepareDatabase(control, loaded.settings);
  SqlService sql(MakePools(loaded.settings));
  HostTableSettings table;
  table.version = SUMMA_VERSION;
  table.instance = MakeInstance(loaded.settings.name);
  table.sql = &sql;
  LeaseService leases(SystemClock());
  table.leases = &leases;
  PluginSet set(loaded.configuration, plan, table);
  set.Start();
  PluginInstance* plugin = set.Find(request.plugin);
  if (plugin == nullptr || plugin->state() != PluginState::kStarted) {
    throw Failures(set.Errors());
  }
  const std::string& worker = request.declaration.worker;
  if (worker.empty()) {
    const std::atomic<bool> no_lease{false};
    return Invoke(*plugin, Call(request, sql.unleased(), signal, no_lease),
                  request.declaration.verb);
  }
  const VerbLease lease(loaded, table.instance, worker, sql, leases, request.wait, signal);
  return Invoke(*plugin, Call(request, lease.sql(), signal, lease.lost()),
                request.declaration.verb);
}

}  // namespace summa::host
