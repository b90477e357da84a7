#include "host/application/plugin_processes.hpp"

#include <algorithm>
#include <charconv>
#include <thread>

#include "host/config/text.hpp"
#include "host/find.hpp"
#include "host/observe/log.hpp"
#include "summa/json.hpp"

namespace summa::host {
namespace {

// A process that has answered nothing for so long is named.
constexpr Microseconds kSilentAfter = std::chrono::seconds(5);
// A row of a dead holder may be locked by its session until the server notices the end.
constexpr int kReleaseAttempts = 3;
constexpr std::chrono::seconds kReleasePause{1};

HttpRequest HostRequest(const char* path) { return {kHostMethod, path, "", {}, ""}; }

HttpResponse Forward(PluginProcess& process, HttpCall& call, Microseconds longest) {
  const std::string plugin = process.plugin();
  const std::shared_ptr<ProcessAnswer> answer = process.Ask(call.request());
  if (answer == nullptr) {
    throw HttpProblem(503, "SH-0378",
                      "plugin \"" + plugin + "\" does not run; its process is " +
                          std::string(ToText(process.Report().state)));
  }
  const HttpCall::Interrupt interrupt(call, [&answer] { answer->GiveUp(); });
  if (std::optional<HttpResponse> response = answer->Wait(longest)) return *std::move(response);
  answer->GiveUp();
  throw HttpProblem(504, "SH-0375", "the process of plugin \"" + plugin + "\" does not answer");
}

void WriteProcess(JsonWriter& json, const ProcessReport& report,
                  const std::optional<ProcessUsage>& usage) {
  json.BeginObject().Key("pid");
  if (report.pid == 0) {
    json.Null();
  } else {
    json.Value(static_cast<std::int64_t>(report.pid));
  }
  json.Member("state", ToText(report.state)).Member("starts", report.starts);
  json.TextOrNull("nextTryAt", report.next_try_at);
  json.Key("memoryBytes");
  if (usage) {
    json.Value(usage->memory_bytes);
  } else {
    json.Null();
  }
  json.Key("cpuSeconds");
  if (usage) {
    json.Value(std::chrono::duration<double>(usage->cpu).count());
  } else {
    json.Null();
  }
  json.EndObject();
}

}  // namespace

std::vector<std::string> ToParts(const ProcessSetUp& set_up) {
  std::vector<std::string> parts = {set_up.plugin,
                                    set_up.file,
                                    set_up.text,
                                    std::to_string(set_up.memory_bytes),
                                    std::to_string(set_up.open_files),
                                    Join(set_up.only, ",")};
  parts.insert(parts.end(), set_up.directories.begin(), set_up.directories.end());
  return parts;
}

std::optional<ProcessSetUp> SetUpOf(const std::vector<std::string>& parts) {
  constexpr std::size_t kFixed = 6;
  if (parts.size() < kFixed) return std::nullopt;
  ProcessSetUp set_up{
      parts[0], parts[1], parts[2], 0, 0, {}, {parts.begin() + kFixed, parts.end()}};
  for (const std::string_view id : Split(parts[5], ',')) set_up.only.emplace_back(id);
  std::from_chars(parts[3].data(), parts[3].data() + parts[3].size(), set_up.memory_bytes);
  std::from_chars(parts[4].data(), parts[4].data() + parts[4].size(), set_up.open_files);
  return set_up;
}

Plan TakeIsolated(Plan& plan, const Configuration& configuration) {
  Plan isolated;
  isolated.locked = plan.locked;
  const auto is_isolated = [&](const PlannedPlugin& planned) {
    return configuration.FindPlugin(planned.id)->isolated;
  };
  std::copy_if(plan.order.begin(), plan.order.end(), std::back_inserter(isolated.order),
               is_isolated);
  std::erase_if(plan.order, is_isolated);
  return isolated;
}

PluginProcesses::PluginProcesses(const LoadedConfiguration& loaded, const Plan& isolated,
                                 const std::vector<std::string>& only, const Discovery& discovery,
                                 Release release)
    : loaded_(loaded),
      plan_(isolated),
      only_(only),
      discovery_(discovery),
      release_(std::move(release)),
      text_(loaded.text) {
  for (const PlannedPlugin& planned : plan_.order) {
    Member& member = members_.emplace_back();
    member.planned = &planned;
    for (const WorkerDeclaration& worker : planned.file->manifest->workers) {
      const WorkerSettings* settings = loaded.configuration.FindWorker(worker.id);
      const bool named = only_.empty() || Contains(only_, worker.id);
      if (settings != nullptr && settings->enabled && named) member.workers.push_back(worker.id);
    }
    const ProcessLimits& limits = loaded.configuration.FindPlugin(planned.id)->limits;
    ProcessPlan plan;
    plan.plugin = planned.id;
    plan.arguments = {kPluginProcess, planned.id};
    plan.memory_bytes = limits.memory_bytes;
    plan.cpu_time = limits.cpu_time;
    plan.drain_timeout = loaded.settings.drain_timeout;
    member.process = std::make_unique<PluginProcess>(
        std::move(plan),
        PluginProcess::Callbacks{
            [this, &member] { return ToParts(SetUp(member)); },
            [this, &member](const std::string& holder) { ReleaseLeases(member, holder); }},
        SystemClock());
  }
}

ProcessSetUp PluginProcesses::SetUp(const Member& member) const {
  const ProcessLimits& limits = loaded_.configuration.FindPlugin(member.planned->id)->limits;
  const MutexLock lock(text_mutex_);
  return {member.planned->id,    loaded_.settings.file, text_,
          limits.memory_bytes,   limits.open_files,     only_,
          discovery_.directories};
}

void PluginProcesses::ReleaseLeases(const Member& member, const std::string& holder) noexcept {
  for (int attempt = 1;; ++attempt) {
    try {
      if (!member.workers.empty()) release_(member.workers, holder);
      return;
    } catch (const Failure& failure) {
      if (attempt < kReleaseAttempts) {
        std::this_thread::sleep_for(kReleasePause);
        continue;
      }
      LogError(LogLevel::kWarn, failure.error(), {{"plugin", member.planned->id}});
      return;  // they expire
    } catch (const std::exception&) {
      return;  // likewise
    }
  }
}

void PluginProcesses::Start() {
  for (Member& member : members_) member.process->Start();
}

void PluginProcesses::Reload(const std::string& text) {
  {
    const MutexLock lock(text_mutex_);
    text_ = text;
  }
  for (Member& member : members_) member.process->Reload(text);
}

void PluginProcesses::TellToStop() {
  for (Member& member : members_) member.process->TellToStop();
}

std::vector<Error> PluginProcesses::AwaitStop() {
  std::vector<Error> errors;
  for (Member& member : members_) {
    if (std::optional<Error> error = member.process->AwaitStop()) errors.push_back(*error);
  }
  return errors;
}

std::shared_ptr<ProcessAnswer> PluginProcesses::Ask(Member& member, Question& question,
                                                    const char* path) {
  const MutexLock lock(question.mutex);
  if (question.asked == nullptr || question.asked->answered()) {
    question.asked = member.process->Ask(HostRequest(path));
    question.asked_at = SystemClock().BootNow();
  }
  return question.asked;
}

Microseconds PluginProcesses::Question::OpenFor() const {
  const MutexLock lock(mutex);
  if (asked == nullptr || asked->answered()) return Microseconds(0);
  return SystemClock().BootNow() - asked_at;
}

PluginProcesses::Known PluginProcesses::KnownOf(const Member& member, bool fresh) {
  Known known;
  known.process = member.process->Report();
  known.fresh = fresh;
  known.silent = member.view.OpenFor();
  const MutexLock lock(member.mutex);
  if (!member.last || member.last_start != known.process.starts || known.process.pid == 0) {
    return known;
  }
  known.view = member.last;
  known.age = SystemClock().BootNow() - member.last_at;
  return known;
}

PluginReport PluginProcesses::ReportOf(const Member& member, const Known& known) {
  PluginReport report;
  const bool runs = known.process.state == ProcessState::kRunning;
  report.state = ToText(known.process.state);
  if (runs && known.view) report = known.view->plugin;
  report.id = member.planned->id;
  report.version = member.planned->file->manifest->version;
  if (runs && known.view && !known.fresh) report.details_age = known.age;
  if (runs && known.silent >= kSilentAfter) {
    report.error =
        Error{"SH-0365", "its process does not answer its host",
              "Look at the log, and at what the process does; when it stays so, kill it: "
              "the host starts another one.",
              ""};
  }
  if (!runs) {
    report.error = known.process.error;
    if (report.error && !known.process.next_try_at.empty()) {
      report.error->message += "; its process is " + report.state + " and is started again at " +
                               known.process.next_try_at + ", or at once after SIGHUP";
    }
  }
  JsonWriter json;
  WriteProcess(json, known.process, member.process->Usage());
  report.process_json = json.Take();
  return report;
}

std::vector<PluginReport> PluginProcesses::Report() const {
  std::vector<PluginReport> reports;
  for (const Member& member : members_) reports.push_back(ReportOf(member, KnownOf(member, true)));
  return reports;
}

// Those of a process that does not run are shown all the same.
void PluginProcesses::AddWorkers(const Member& member, const Known& known, Probed& probed) const {
  if (known.view && known.process.state == ProcessState::kRunning) {
    probed.workers.insert(probed.workers.end(), known.view->workers.begin(),
                          known.view->workers.end());
    return;
  }
  for (const std::string& id : member.workers) {
    WorkerRow row;
    row.id = id;
    row.kind = loaded_.configuration.FindWorker(id)->kind();
    row.state = "stopped";
    if (known.process.error) {
      row.last_error = known.process.error->code + " " + known.process.error->message;
    }
    JsonWriter json;
    WriteWorker(json, row);
    probed.workers.push_back(json.Take());
  }
}

void PluginProcesses::AddReadiness(const Member& member, const Known& known, Readiness& readiness) {
  const std::string& id = member.planned->id;
  const ProcessState state = known.process.state;
  if (state != ProcessState::kRunning && !known.process.error) {
    readiness.failing.push_back({"plugin " + id, "its process is " + std::string(ToText(state)),
                                 "Wait, and check the log.", id});
  }
  if (!known.view || state != ProcessState::kRunning) return;
  const Readiness& theirs = known.view->readiness;
  readiness.failing.insert(readiness.failing.end(), theirs.failing.begin(), theirs.failing.end());
  readiness.warnings.insert(readiness.warnings.end(), theirs.warnings.begin(),
                            theirs.warnings.end());
}

PluginProcesses::Probed PluginProcesses::Probe(Microseconds timeout) {
  std::vector<std::shared_ptr<ProcessAnswer>> answers;
  std::vector<std::int64_t> starts;
  for (Member& member : members_) {
    starts.push_back(member.process->Report().starts);
    answers.push_back(Ask(member, member.view, kViewPath));
  }
  const BootTime begin = SystemClock().BootNow();
  Probed probed;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    const Microseconds left = timeout - (SystemClock().BootNow() - begin);
    std::optional<HttpResponse> response;
    if (answers[i] != nullptr) response = answers[i]->Wait(std::max(left, Microseconds(0)));
    std::optional<ProcessView> view;
    if (response && response->status == 200) view = DecodeProcessView(response->body);
    const bool fresh = view.has_value();
    if (fresh) {
      const MutexLock lock(member.mutex);
      member.last = std::move(view);
      member.last_at = SystemClock().BootNow();
      member.last_start = starts[i];
    }
    const Known known = KnownOf(member, fresh);
    probed.plugins.push_back(ReportOf(member, known));
    AddWorkers(member, known, probed);
    AddReadiness(member, known, probed.readiness);
  }
  return probed;
}

std::vector<std::pair<std::string, std::string>> PluginProcesses::Metrics(Microseconds timeout) {
  std::vector<std::shared_ptr<ProcessAnswer>> answers;
  for (Member& member : members_) answers.push_back(Ask(member, member.metrics, kMetricsPath));
  const BootTime begin = SystemClock().BootNow();
  std::vector<std::pair<std::string, std::string>> texts;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Microseconds left = timeout - (SystemClock().BootNow() - begin);
    if (answers[i] == nullptr) continue;
    std::optional<HttpResponse> response = answers[i]->Wait(std::max(left, Microseconds(0)));
    if (!response || response->status != 200) continue;
    texts.emplace_back(members_[i].planned->id, std::move(response->body));
  }
  return texts;
}

std::vector<std::string> PluginProcesses::workers() const {
  std::vector<std::string> ids;
  for (const Member& member : members_) {
    ids.insert(ids.end(), member.workers.begin(), member.workers.end());
  }
  return ids;
}

std::vector<HttpRoute> PluginProcesses::Routes(Microseconds longest) {
  std::vector<HttpRoute> routes;
  for (Member& member : members_) {
    for (const RouteDeclaration& declared : member.planned->file->manifest->routes) {
      HttpRoute route;
      route.declared = declared;
      route.plugin = member.planned->id;
      route.pool = "plugin " + member.planned->id;
      route.revalidates = true;
      route.handler = [&process = *member.process, longest](HttpCall& call) {
        return Forward(process, call, longest);
      };
      routes.push_back(std::move(route));
    }
  }
  return routes;
}

}  // namespace summa::host
