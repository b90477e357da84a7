// Operations as people see and steer them; see host/database/operations.hpp.
#include <functional>
#include <summa/json.hpp>

#include "host/application/requester.hpp"
#include "host/application/settings.hpp"
#include "host/application/status.hpp"
#include "host/application/termination_signal.hpp"
#include "host/cli/output.hpp"
#include "host/cli/verbs.hpp"
#include "host/database/fleet_orders.hpp"
#include "host/database/operations.hpp"

namespace summa::host {
namespace {

constexpr Microseconds kPollInterval = std::chrono::milliseconds(500);
// How long a host may take to do what a resumed operation asks of its worker.
constexpr Microseconds kRunLifetime = std::chrono::hours(24);

VerbResult List(const Invocation& call) {
  const LoadedConfiguration loaded = call.Load();
  const bool all = call.options.Boolean("all");
  const std::vector<OperationReport> operations = Operations(loaded.settings.ledger).List(all);
  JsonWriter json;
  json.BeginObject().Key("operations");
  WriteOperations(json, operations);
  VerbResult result{.json = json.EndObject().Take()};
  if (operations.empty()) {
    result.text = all ? "no operations in the last 90 days" : "no operations";
  }
  return result;
}

VerbResult ShowOf(const OperationReport& operation) {
  JsonWriter json;
  json.BeginObject().Key("operation");
  WriteOperation(json, operation);
  return {.json = json.EndObject().Take()};
}

std::string LabelOf(const OperationReport& operation) {
  return operation.kind + (operation.phase.empty() ? "" : " " + operation.phase);
}

// Until it ends or is paused, or the display is interrupted; the operation itself continues.
OperationReport Follow(Operations& operations, std::int64_t id, Output& output) {
  TerminationSignal& signal = TerminationSignal::Listen();
  for (;;) {
    OperationReport operation = operations.Find(id);
    output.Progress(LabelOf(operation), operation.done, operation.total.value_or(0));
    if (!operation.open || operation.state == "paused" || signal.Wait(kPollInterval)) {
      return operation;
    }
  }
}

VerbResult Show(const Invocation& call) {
  Operations operations(call.Load().settings.ledger);
  const std::int64_t id = call.options.Integer("id");
  if (!call.options.Boolean("follow")) return ShowOf(operations.Find(id));
  return ShowOf(Follow(operations, id, call.output));
}

// What people want of an operation; `by`: who. False: it was so already.
using Change = std::function<bool(Operations&, std::int64_t id, const std::string& by)>;

VerbResult Apply(const Invocation& call, const LoadedConfiguration& loaded, const Change& change) {
  Operations operations(loaded.settings.ledger);
  const std::int64_t id = call.options.Integer("id");
  const bool changed = change(operations, id, Requester(loaded.settings.name));
  const OperationReport operation = operations.Find(id);
  JsonWriter json;
  json.BeginObject().Member("operation", std::to_string(id));
  json.Member("state", operation.state).Member("rate", operation.rate);
  json.Member("changed", changed).EndObject();
  return {.json = json.Take()};
}

VerbResult Pause(const Invocation& call) { return Apply(call, call.Load(), &Operations::Pause); }
VerbResult Abort(const Invocation& call) { return Apply(call, call.Load(), &Operations::Abort); }

// A periodic worker would look at it at its next due time only.
VerbResult Resume(const Invocation& call) {
  const LoadedConfiguration loaded = call.Load();
  return Apply(call, loaded, [&](Operations& operations, std::int64_t id, const std::string& by) {
    const bool changed = operations.Resume(id, by);
    const OperationReport operation = operations.Find(id);
    if (changed && operation.periodic) {
      FleetOrders(loaded.settings.ledger).RequestRun(operation.worker, by, kRunLifetime);
    }
    return changed;
  });
}

VerbResult Rate(const Invocation& call) {
  return Apply(call, call.Load(),
               [&](Operations& operations, std::int64_t id, const std::string& by) {
                 operations.SetRate(id, call.options.Integer("rate"), by);
                 return true;
               });
}

VerbOption Number(const std::string& name, const std::string& help, const std::string& metavar,
                  const std::string& least) {
  VerbOption option = MakeArgument(name, help, metavar);
  option.declaration.schema.type = Schema::Type::kInteger;
  option.declaration.schema.min_text = least;
  return option;
}

Verb MakeVerb(const std::string& word, std::string summary, std::string description,
              VerbResult (*run)(const Invocation&)) {
  Verb verb;
  verb.words = "operations " + word;
  verb.summary = std::move(summary);
  verb.description = std::move(description);
  verb.run = run;
  if (word == "list") {
    verb.exit_codes = {{0, "listed"}};
  } else {
    verb.options = {Number("id", "the number of the operation", "ID", "1")};
    verb.exit_codes = {{0, "done, or there was nothing to do"},
                       {64, "the operation has ended, or its state does not allow it"},
                       {66, "there is no operation of this number"}};
  }
  verb.exit_codes.emplace_back(69, "the database is down");
  verb.exit_codes.emplace_back(78, "configuration, or the database is not migrated");
  verb.example = "summa-host " + verb.words + (word == "list" ? "" : " 7");
  return verb;
}

}  // namespace

void AddOperationVerbs(std::vector<Verb>& verbs) {
  Verb list = MakeVerb("list", "list the operations of the whole fleet",
                       "Reads the journal in the database: long work that runs, waits, is paused "
                       "or has failed, its progress, and the host that does it. Needs no running "
                       "host.",
                       List);
  list.options = {MakeFlag("all", "also operations that were done or aborted in the last 90 days")};
  verbs.push_back(std::move(list));
  Verb show = MakeVerb("show", "show one operation and its progress",
                       "With --follow, shows progress until the operation ends or is paused. "
                       "Ctrl-C ends the display, not the operation.",
                       Show);
  show.options.push_back(MakeFlag("follow", "show progress until it ends"));
  show.exit_codes.front().second = "shown";
  show.exit_codes.erase(show.exit_codes.begin() + 1);
  verbs.push_back(std::move(show));
  verbs.push_back(MakeVerb("pause", "pause an operation until it is resumed",
                           "The current batch is finished first; a long one is cancelled within "
                           "about a second. The worker continues with other operations.",
                           Pause));
  verbs.push_back(MakeVerb("resume", "continue a paused or failed operation",
                           "The operation continues after its last batch. One that waits after a "
                           "failure is tried again immediately.",
                           Resume));
  verbs.push_back(MakeVerb("abort", "end an operation for good",
                           "Nothing more is committed after this verb has returned. What was "
                           "committed before stays, except what only a running operation needs: "
                           "its plugin removes that.",
                           Abort));
  Verb rate =
      MakeVerb("rate", "limit how many rows per second an operation processes",
               "Takes effect with the next batch, or within about a second when the operation "
               "pauses to keep its rate.",
               Rate);
  rate.options.push_back(Number("rate", "maximum rows per second; 0: no limit", "N", "0"));
  rate.example += " 5000";
  verbs.push_back(std::move(rate));
}

}  // namespace summa::host
