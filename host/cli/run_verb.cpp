#include "host/application/run.hpp"
#include "host/application/settings.hpp"
#include "host/cli/verbs.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

VerbResult Run(const Invocation& call) {
  RunOptions options;
  options.once = call.options.Boolean("once");
  const Value* length = call.options.Find("for");
  if (length != nullptr && !length->null)
    options.length = Microseconds(call.options.Integer("for"));
  options.wait = Microseconds(call.options.Integer("wait"));
  if (const Value* only = call.options.Find("only"); only != nullptr) {
    for (const Value& worker : only->items) options.only.push_back(worker.text);
  }
  if (options.once && options.length) {
    throw Failure("SH-0900", "--once and --for exclude each other",
                  "--once ends when no worker has a backlog, --for when the time has passed.");
  }
  // A service runs and ends whether or not its output is read.
  if (!options.once) StopWaitingForReaders();
  TerminationSignal& signal = TerminationSignal::Listen(
      options.once ? TerminationSignal::Hangup::kStops : TerminationSignal::Hangup::kReloads);
  VerbResult result = RunHost(call.Load(), call.installed.plugins(), options, signal);
  result.unread = !options.once;
  return result;
}

}  // namespace

void AddRunVerbs(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "run";
  verb.summary = "run the workers of the enabled plugins";
  verb.description =
      "Runs until SIGTERM, SIGINT or SIGQUIT, then lets running work finish within "
      "host.drain_timeout. A second signal ends the process immediately. SIGHUP reloads the "
      "configuration and logs what takes effect and what needs a restart. A plugin that cannot run "
      "is named in the log and in /status; the others run. When the database is down, the host "
      "waits for it. With --once, every worker runs until none has a backlog, regardless of due "
      "times, and a summary is printed.";
  verb.options = {
      MakeFlag("once", "run every worker until none has a backlog, then end"),
      MakeRepeatable("only", "run only this worker", "WORKER"),
      MakeOption("for", Schema::Type::kDuration, "end after this time"),
      MakeOption("wait", Schema::Type::kDuration,
                 "with --once: wait this long for the database and for leases of other hosts",
                 "60s")};
  verb.exit_codes = {{0, "ended cleanly: by a signal, --for or --once"},
                     {66, "--only names a worker that does not exist"},
                     {69, "with --once: the database or the bus is down"},
                     {75,
                      "a worker did not stop within host.drain_timeout, or with --once: another "
                      "host holds a lease"},
                     {78, "configuration, or the database is not migrated"}};
  verb.example = "summa-host run -c /etc/summa/summa.yaml";
  verb.run = Run;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
