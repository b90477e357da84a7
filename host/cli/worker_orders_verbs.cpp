// The verbs workers pause, resume and run.
#include <algorithm>
#include <summa/json.hpp>

#include "host/application/requester.hpp"
#include "host/application/termination_signal.hpp"
#include "host/cli/known_workers.hpp"
#include "host/cli/verbs.hpp"
#include "host/database/fleet_orders.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

// Running hosts look once a second; five times that is a host that is very slow, or none.
constexpr Microseconds kNoticeTimeout = std::chrono::seconds(5);
constexpr Microseconds kPollInterval = std::chrono::milliseconds(100);

const WorkerRow& FindWorker(const std::vector<WorkerRow>& workers, const std::string& id,
                            const LoadedConfiguration& loaded) {
  if (const WorkerRow* found = FindNamed(workers, &WorkerRow::id, id)) return *found;
  throw Failure(Error{"SH-0903", "no worker is called \"" + id + "\"",
                      "`summa-host workers list` lists the existing ones.", loaded.settings.file,
                      66});
}

// The one that is named, or with --all every one that is known.
std::vector<WorkerRow> Chosen(const Invocation& call, const LoadedConfiguration& loaded) {
  const std::string id = call.options.String("worker");
  const bool all = call.options.Boolean("all");
  if (id.empty() == !all) {
    throw Failure("SH-0900", all ? "a worker and --all exclude each other" : "no worker is named",
                  "Name one worker, or give --all.");
  }
  std::vector<WorkerRow> workers = KnownWorkers(loaded, call.installed.plugins());
  if (all) return workers;
  return {FindWorker(workers, id, loaded)};
}

WorkerName Name(const WorkerRow& worker) {
  return {worker.id, worker.plugin, worker.kind == "continuous"};
}

VerbResult Pause(const Invocation& call) {
  const LoadedConfiguration loaded = call.Load();
  FleetOrders orders(loaded.settings.ledger);
  JsonWriter json;
  json.BeginObject().Key("workers").BeginArray();
  for (const WorkerRow& worker : Chosen(call, loaded)) {
    orders.Pause(Name(worker), Requester(loaded.settings.name), call.options.String("reason"));
    json.BeginObject().Member("id", worker.id).Member("paused", true);
    json.Member("changed", !worker.paused).EndObject();
  }
  json.EndArray().EndObject();
  return {.json = json.Take()};
}

VerbResult Resume(const Invocation& call) {
  const LoadedConfiguration loaded = call.Load();
  FleetOrders orders(loaded.settings.ledger);
  JsonWriter json;
  json.BeginObject().Key("workers").BeginArray();
  for (const WorkerRow& worker : Chosen(call, loaded)) {
    const bool changed = orders.Resume(worker.id);
    json.BeginObject().Member("id", worker.id).Member("paused", false);
    json.Member("changed", changed).EndObject();
  }
  json.EndArray().EndObject();
  return {.json = json.Take()};
}

// A request to run one worker, withdrawn when nobody waits for it any more.
class RunRequest {
 public:
  RunRequest(const LoadedConfiguration& loaded, std::string worker, Microseconds wait)
      : orders_(loaded.settings.ledger), worker_(std::move(worker)), wait_(wait) {
    id_ = orders_.RequestRun(worker_, Requester(loaded.settings.name), wait + kNoticeTimeout);
  }

  RequestedRun Wait() {
    const BootTime begin = SystemClock().BootNow();
    while (true) {
      const std::optional<RequestedRun> run = orders_.ReadRun(id_);
      if (!run) throw TookTooLong({});  // expired long ago: this process slept
      if (run->finished) return *run;
      const Microseconds waited = SystemClock().BootNow() - begin;
      const bool unseen = !run->seen && waited >= std::min(kNoticeTimeout, wait_);
      const bool late = waited >= wait_ || signal_.requested();
      // When it cannot be withdrawn, a host has just begun.
      if ((unseen || late) && run->host.empty() && orders_.Withdraw(id_)) {
        throw unseen ? Unseen() : TookTooLong({});
      }
      if (late) throw TookTooLong(run->host);
      signal_.Wait(kPollInterval);
    }
  }

 private:
  Failure Unseen() const {
    return Failure(Error{"SH-0342", "no running host runs worker " + worker_,
                         "Start a host, or run `summa-host run --once --only " + worker_ + "`.", "",
                         SUMMA_E_TRY_LATER});
  }
  Failure TookTooLong(const std::string& host) const {
    const std::string what = host.empty() ? "no host could begin to run worker " + worker_ +
                                                "; the request was withdrawn"
                                          : "worker " + worker_ + " still runs on host " + host;
    return Failure(Error{"SH-0344", what, "`summa-host workers list` shows who holds its lease.",
                         "", SUMMA_E_TRY_LATER});
  }

  TerminationSignal& signal_ = TerminationSignal::Listen();
  FleetOrders orders_;
  const std::string worker_;
  const Microseconds wait_;
  std::int64_t id_ = 0;
};

void RefuseHeldBack(const WorkerRow& worker) {
  const std::string fix = "Run `summa-host workers resume " + worker.id + "` first.";
  if (worker.paused) {
    const std::string by = worker.paused_by.empty() ? "" : " by " + worker.paused_by;
    const std::string why = worker.paused_reason.empty() ? "" : ": " + worker.paused_reason;
    throw Failure(Error{"SH-0341", "worker " + worker.id + " is paused" + by + why, fix, "",
                        SUMMA_E_TRY_LATER});
  }
  if (worker.state == "parked") {
    throw Failure(Error{"SH-0340", "worker " + worker.id + " is parked: " + worker.last_error, fix,
                        "", SUMMA_E_TRY_LATER});
  }
}

VerbResult RunNow(const Invocation& call) {
  const Discovery& plugins = call.installed.plugins();
  const LoadedConfiguration loaded = call.Load();
  const std::string id = call.options.String("worker");
  RefuseHeldBack(FindWorker(KnownWorkers(loaded, plugins), id, loaded));
  const RequestedRun run =
      RunRequest(loaded, id, Microseconds(call.options.Integer("wait"))).Wait();
  JsonWriter json;
  json.BeginObject().Member("worker", id).Member("host", run.host);
  json.Member("outcome", run.outcome).Member("runs", run.runs).Member("items", run.items);
  // The envelope has the duration of the verb.
  json.Member("runDurationMs", run.duration.count() / 1000).EndObject();
  VerbResult result;
  result.json = json.Take();
  if (run.outcome == "ok") return result;
  const std::size_t space = std::min(run.error.find(' '), run.error.size());
  result.errors.push_back({run.error.substr(0, space),
                           run.error.substr(std::min(space + 1, run.error.size())), "",
                           "worker " + id + " on host " + run.host});
  result.exit_code = run.exit_code == 0 ? int{SUMMA_E_TRY_LATER} : run.exit_code;
  return result;
}

VerbOption OneWorker() {
  VerbOption option = MakeArgument("worker", "the id of the worker", "WORKER");
  option.declaration.schema.required = false;
  return option;
}

const std::vector<std::pair<int, std::string>> kExitCodes = {
    {64, "no worker and no --all"},
    {66, "there is no worker of this name"},
    {69, "the database is down"},
    {78, "configuration, or the database is not migrated"}};

Verb PauseVerb() {
  Verb verb;
  verb.words = "workers pause";
  verb.summary = "stop a worker on every host until it is resumed";
  verb.description =
      "The pause is stored in the database, so it applies to the whole fleet and survives "
      "restarts. Within about a second, every host stops running the worker; a call in progress "
      "ends first, then its lease is released.";
  verb.options = {
      OneWorker(), MakeFlag("all", "every worker"),
      MakeOption("reason", Schema::Type::kString, "why the worker is paused", {}, "TEXT")};
  verb.exit_codes = kExitCodes;
  verb.exit_codes.insert(verb.exit_codes.begin(), {0, "paused"});
  verb.example = "summa-host workers pause outbox-processor --reason 'upgrade of Redis'";
  verb.run = Pause;
  return verb;
}

Verb ResumeVerb() {
  Verb verb;
  verb.words = "workers resume";
  verb.summary = "let a paused or parked worker run again";
  verb.description =
      "Ends a pause, and lets every host that parked the worker after failures try it again.";
  verb.options = {OneWorker(), MakeFlag("all", "every worker")};
  verb.exit_codes = kExitCodes;
  verb.exit_codes.insert(verb.exit_codes.begin(), {0, "resumed, or there was nothing to do"});
  verb.example = "summa-host workers resume --all";
  verb.run = Resume;
  return verb;
}

Verb RunNowVerb() {
  Verb verb;
  verb.words = "workers run";
  verb.summary = "run a worker once now, on a running host";
  verb.description =
      "Asks the fleet through the database and waits for the outcome. One of the hosts that can "
      "run the worker does so as soon as it has the lease. A periodic worker makes a complete run, "
      "from which its next due time is counted; a continuous worker makes its next call "
      "immediately.";
  verb.options = {
      MakeArgument("worker", "the id of the worker", "WORKER"),
      MakeOption("wait", Schema::Type::kDuration, "wait this long for the outcome", "60s")};
  verb.exit_codes = {{0, "the worker ran"},
                     {66, "there is no worker of this name"},
                     {69, "the database is down"},
                     {75,
                      "no host runs it, it is paused or parked, or it has not finished within "
                      "--wait; a run that has begun continues"},
                     {78, "configuration, or the database is not migrated"}};
  verb.example = "summa-host workers run daily-reconciliation --wait 10m";
  verb.run = RunNow;
  return verb;
}

}  // namespace

void AddWorkerOrdersVerbs(std::vector<Verb>& verbs) {
  verbs.push_back(PauseVerb());
  verbs.push_back(ResumeVerb());
  verbs.push_back(RunNowVerb());
}

}  // namespace summa::host
