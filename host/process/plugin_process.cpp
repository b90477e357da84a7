#include "host/process/plugin_process.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "host/config/schema.hpp"
#include "host/observe/host_metrics.hpp"
#include "host/observe/log.hpp"
#include "host/process/http_form.hpp"
#include "host/process/spawn.hpp"

namespace summa::host {
namespace {

// How often the use of memory and CPU is looked at, when there are limits.
constexpr Microseconds kLimitsInterval = std::chrono::seconds(1);
// What a process has beyond its drain_timeout: it ends its plugin, its connections and its log.
constexpr Microseconds kEndMargin = std::chrono::seconds(3);
// How often a process is looked at whose end no descriptor tells, on an old kernel.
constexpr Microseconds kWithoutDescriptor = std::chrono::milliseconds(200);
constexpr std::string_view kParkedInFleet = "SH-0349";

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : std::string("SIG") + name;
}

bool IsAway(const Error& error) {
  const std::int32_t kind = KindOf(error);
  return kind == SUMMA_E_UNAVAILABLE || kind == SUMMA_E_TRY_LATER;
}

std::string InMebibytes(std::int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// As Error travels in kEnd.
std::optional<Error> ErrorOf(const std::vector<std::string>& parts) {
  constexpr std::size_t kFields = 5;
  if (parts.size() != kFields) return std::nullopt;
  return Error{parts[0], parts[1], parts[2], parts[3], std::atoi(parts[4].c_str())};
}

}  // namespace

std::string_view ToText(ProcessState state) {
  switch (state) {
    case ProcessState::kStarting:
      return "starting";
    case ProcessState::kRunning:
      return "started";
    case ProcessState::kWaiting:
      return "waiting";
    case ProcessState::kParked:
      return "parked";
    case ProcessState::kStopped:
      break;
  }
  return "stopped";
}

struct PluginProcess::Life {
  pid_t pid = 0;
  int descriptor = -1;  // of the process
  std::shared_ptr<Link> link;
  std::string holder;  // of its leases
  bool link_open = true, told_to_stop = false, killed = false;
  std::optional<BootTime> kill_at;
  BootTime limits_at;
  CpuWindow cpu;
  std::optional<std::optional<Error>> last_words;  // what it said when it ended by itself
  const char* kill_reason = "killed";
  std::optional<Error> kill_error;

  explicit Life(BootTime now) : limits_at(now), cpu(now) {}
  ~Life() {
    if (descriptor >= 0) close(descriptor);
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
};

PluginProcess::PluginProcess(ProcessPlan plan, Callbacks callbacks, const Clock& clock)
    : plan_(std::move(plan)), callbacks_(std::move(callbacks)), clock_(clock) {}

PluginProcess::~PluginProcess() {
  stopping_ = true;
  at_once_ = true;
  wake_.Signal();
  if (thread_.joinable()) thread_.join();
}

void PluginProcess::Start() {
  // How a child ends is to be known, whatever this program has inherited.
  std::signal(SIGCHLD, SIG_DFL);
  thread_ = std::thread([this] { Run(); });
}

ProcessReport PluginProcess::Report() const {
  const MutexLock lock(mutex_);
  ProcessReport report = report_;
  const bool waits =
      report.state == ProcessState::kWaiting || report.state == ProcessState::kParked;
  if (waits) {
    const Microseconds left = std::max(Microseconds(0), next_try_ - clock_.BootNow());
    report.next_try_at = TimeText(clock_.UnixNow() + left);
  }
  return report;
}

std::optional<ProcessUsage> PluginProcess::Usage() const {
  const pid_t pid = Report().pid;
  return pid == 0 ? std::nullopt : ReadUsage(pid);
}

std::shared_ptr<ProcessAnswer> PluginProcess::Ask(const HttpRequest& request) {
  std::shared_ptr<Link> link;
  std::shared_ptr<ProcessAnswer> answer;
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    if (link_ == nullptr) return nullptr;
    link = link_;
    id = ++last_id_;
    answer = std::make_shared<ProcessAnswer>([link, id] {
      static_cast<void>(link->Send({MessageKind::kGiveUp, id, {}}));
    });
    std::erase_if(answers_, [](const auto& each) { return each.second.expired(); });
    answers_[id] = answer;
  }
  if (!link->Send({MessageKind::kRequest, id, ToParts(request)})) return nullptr;
  return answer;
}

void PluginProcess::Reload(const std::string& configuration) {
  std::shared_ptr<Link> link;
  {
    const MutexLock lock(mutex_);
    link = link_;
    if (link == nullptr) missed_ = configuration;
  }
  if (link != nullptr && link->Send({MessageKind::kReload, 0, {configuration}})) return;
  try_now_ = true;
  wake_.Signal();
}

void PluginProcess::TellToStop() {
  stopping_ = true;
  wake_.Signal();
}

std::optional<Error> PluginProcess::AwaitStop() {
  if (!thread_.joinable()) return std::nullopt;
  thread_.join();
  const MutexLock lock(mutex_);
  return stop_error_;
}

void PluginProcess::Run() {
  while (!stopping_) {
    const BootTime begin = clock_.BootNow();
    const Ended ended = Live();
    HostMetric("summa_plugin_process_ends_total", {plan_.plugin, ended.reason}).Add(1);
    if (stopping_) {
      const MutexLock lock(mutex_);
      stop_error_ = ended.error;
      break;
    }
    Decide(ended, clock_.BootNow() - begin);
    WaitForTurn();
  }
  const MutexLock lock(mutex_);
  report_.state = ProcessState::kStopped;
}

// From its start until it has ended and nothing of it is left.
PluginProcess::Ended PluginProcess::Live() {
  Life life(clock_.BootNow());
  Message set_up{MessageKind::kSetUp, 0, {}};
  try {
    {
      const MutexLock lock(mutex_);
      missed_.reset();
    }
    set_up.parts = callbacks_.set_up();
    const auto [ours, theirs] = Link::MakePair();
    life.link = std::make_shared<Link>(ours);
    const std::shared_ptr<void> close_theirs(nullptr, [end = theirs](void*) { close(end); });
    life.pid = SpawnSelf(plan_.arguments, theirs);
  } catch (const Failure& failure) {
    return {RestartPolicy::End::kOfOthers, "not_started", failure.error()};
  } catch (const std::exception& problem) {
    return {
        RestartPolicy::End::kOfOthers, "not_started",
        Error{"SH-0361", "the process of " + Named() + " could not be started: " + problem.what(),
              "The host tries again by itself", ""}};
  }
  life.descriptor = ProcessDescriptor(life.pid);
  {
    const MutexLock lock(mutex_);
    report_.state = ProcessState::kStarting;
    report_.pid = life.pid;
    ++report_.starts;
  }
  Log(LogLevel::kInfo, "", "the process of a plugin was started",
      {{"plugin", plan_.plugin}, {"pid", std::to_string(life.pid)}});
  life.link_open = life.link->Send(set_up);
  std::optional<std::string> missed;
  {
    const MutexLock lock(mutex_);
    link_ = life.link;
    missed = std::exchange(missed_, std::nullopt);
  }
  if (missed) {
    life.link_open = life.link->Send({MessageKind::kReload, 0, {*std::move(missed)}});
    try_now_ = false;
  }
  Watch(life);
  int status = 0;
  while (waitpid(life.pid, &status, 0) < 0 && errno == EINTR) {
  }
  std::vector<Message> rest;
  life.link->Receive(rest);
  for (Message& message : rest) Handle(life, std::move(message));
  ForgetAnswers();
  const Ended ended = Classify(life, status);
  // One that ended in order has released them itself.
  if (ended.end != RestartPolicy::End::kOrderly && !life.holder.empty()) {
    callbacks_.release_leases(life.holder);
  }
  return ended;
}

// Until it has ended.
void PluginProcess::Watch(Life& life) {
  const bool limited = plan_.memory_bytes > 0 || plan_.cpu_time.count() > 0;
  for (;;) {
    const BootTime now = clock_.BootNow();
    if (stopping_ && !std::exchange(life.told_to_stop, true)) {
      static_cast<void>(life.link->Send({MessageKind::kStop, 0, {}}));
      life.kill_at = now + plan_.drain_timeout + kEndMargin;
    }
    if (at_once_ && !life.killed)
      Kill(life, "stopped", {"SH-0904", Named() + " was ended", "", ""});
    if (life.kill_at && now >= *life.kill_at && !life.killed) {
      Kill(life, "stuck",
           {"SH-0366",
            "the process of " + Named() + " did not end within host.drain_timeout and was killed",
            "What it had not committed is rolled back; its leases were released.", ""});
    }
    if (limited && !life.killed && now >= life.limits_at) CheckLimits(life);
    Microseconds wait = life.kill_at && !life.killed ? *life.kill_at - now : kLimitsInterval * 60;
    if (limited && !life.killed) wait = std::min(wait, life.limits_at - now);
    if (life.descriptor < 0) wait = std::min(wait, kWithoutDescriptor);
    pollfd watched[] = {{life.descriptor, POLLIN, 0},
                        {life.link_open ? life.link->descriptor() : -1, POLLIN, 0},
                        {wake_.descriptor(), POLLIN, 0}};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    poll(watched, 3, static_cast<int>(std::max<std::int64_t>(milliseconds, 1)));
    wake_.Clear();
    std::vector<Message> messages;
    if (life.link_open && watched[1].revents != 0) life.link_open = life.link->Receive(messages);
    for (Message& message : messages) Handle(life, std::move(message));
    if (!life.link_open && !life.kill_at) life.kill_at = now + plan_.drain_timeout + kEndMargin;
    siginfo_t ended{};
    if (waitid(P_PID, static_cast<id_t>(life.pid), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        ended.si_pid != 0) {
      return;
    }
  }
}

void PluginProcess::CheckLimits(Life& life) {
  const BootTime now = clock_.BootNow();
  life.limits_at = now + kLimitsInterval;
  const std::optional<ProcessUsage> usage = ReadUsage(life.pid);
  if (!usage) return;  // it has just ended
  const Microseconds cpu = life.cpu.Add(now, usage->cpu);
  const std::string process = "the process of " + Named();
  if (plan_.memory_bytes > 0 && usage->memory_bytes > plan_.memory_bytes) {
    Kill(life, "memory",
         {"SH-0362",
          process + " used " + InMebibytes(usage->memory_bytes) + " of memory; its limit is " +
              InMebibytes(plan_.memory_bytes),
          "Raise plugins." + plan_.plugin + ".limits.memory when it needs that much; otherwise " +
              "report it to the author of the plugin",
          ""});
  } else if (plan_.cpu_time.count() > 0 && cpu > plan_.cpu_time) {
    Kill(
        life, "cpu_time",
        {"SH-0363",
         process + " used " + FormatDuration(cpu.count() / 1000 * 1000) +
             " of CPU time within a minute; its limit is " + FormatDuration(plan_.cpu_time.count()),
         "Raise plugins." + plan_.plugin + ".limits.cpu_time when it needs that much; otherwise " +
             "report it to the author of the plugin",
         ""});
  }
}

void PluginProcess::Kill(Life& life, const char* reason, Error error) {
  life.killed = true;
  life.kill_reason = reason;
  life.kill_error = std::move(error);
  kill(life.pid, SIGKILL);  // it is not reaped yet, so the number is still its own
}

void PluginProcess::Handle(Life& life, Message message) {
  switch (message.kind) {
    case MessageKind::kHello:
      if (!message.parts.empty()) life.holder = message.parts.front();
      return;
    case MessageKind::kRuns: {
      const MutexLock lock(mutex_);
      report_.state = ProcessState::kRunning;
      report_.error.reset();
      return;
    }
    case MessageKind::kEnd:
      life.last_words.emplace(ErrorOf(message.parts));
      return;
    case MessageKind::kAnswer: {
      std::shared_ptr<ProcessAnswer> answer;
      {
        const MutexLock lock(mutex_);
        const auto found = answers_.find(message.id);
        if (found == answers_.end()) return;
        answer = found->second.lock();
        answers_.erase(found);
      }
      if (answer == nullptr) return;
      std::optional<HttpResponse> response = ResponseOf(message.parts);
      answer->Set(response ? *std::move(response)
                           : HttpError(500, "SH-0332", "the process gave no answer"));
      return;
    }
    default:
      return;  // nothing that a process says
  }
}

// Nobody answers any more.
void PluginProcess::ForgetAnswers() {
  std::vector<std::shared_ptr<ProcessAnswer>> open;
  {
    const MutexLock lock(mutex_);
    link_.reset();
    report_.pid = 0;
    for (const auto& [id, answer] : std::exchange(answers_, {})) {
      if (auto one = answer.lock()) open.push_back(std::move(one));
    }
  }
  for (const auto& answer : open) {
    answer->Set(HttpError(503, "SH-0378", "the process of " + Named() + " has ended"));
  }
}

Error PluginProcess::DeathOf(pid_t pid, int status) const {
  const std::string process = "the process of " + Named() + " (pid " + std::to_string(pid) + ") ";
  if (!WIFSIGNALED(status)) {
    return {"SH-0360",
            process + "ended with exit code " + std::to_string(WEXITSTATUS(status)) +
                " and did not say why",
            "Look at its last lines in the log.", ""};
  }
  const int signal = WTERMSIG(status);
  return {"SH-0360", process + "was ended by " + SignalName(signal),
          signal == SIGKILL ? "Somebody killed it, or the machine was out of memory: look at the "
                              "log of the kernel."
                            : "Its last line in the log names the place; report it to the author "
                              "of the plugin.",
          ""};
}

PluginProcess::Ended PluginProcess::Classify(const Life& life, int status) const {
  if (life.kill_error) return {RestartPolicy::End::kOfItself, life.kill_reason, life.kill_error};
  if (!life.last_words) {
    return {RestartPolicy::End::kOfItself, WIFSIGNALED(status) ? "crash" : "exit",
            DeathOf(life.pid, status)};
  }
  const std::optional<Error>& said = *life.last_words;
  if (!said) return {RestartPolicy::End::kOrderly, "stopped", std::nullopt};
  if (said->code == kParkedInFleet) return {RestartPolicy::End::kParkNow, "failed", said};
  return {IsAway(*said) ? RestartPolicy::End::kOfOthers : RestartPolicy::End::kOfItself, "failed",
          said};
}

void PluginProcess::Decide(const Ended& ended, Microseconds ran) {
  const RestartPolicy::Decision decision = policy_.Ended(ended.end, ran);
  const std::string again = FormatDuration(decision.pause.count());
  const Error error = ended.error.value_or(
      Error{"SH-0360", "the process of " + Named() + " was told to end by somebody else", "", ""});
  LogError(decision.parked ? LogLevel::kError : LogLevel::kWarn, error,
           {{"plugin", plan_.plugin}, {"again_in", again}});
  if (decision.parked) {
    Log(LogLevel::kError, "SH-0364", "the process of a plugin is parked; it is tried seldom",
        {{"plugin", plan_.plugin}, {"ends", std::to_string(policy_.ends())}, {"again_in", again}});
  }
  const MutexLock lock(mutex_);
  report_.state = decision.parked ? ProcessState::kParked : ProcessState::kWaiting;
  report_.error = error;
  next_try_ = clock_.BootNow() + decision.pause;
}

void PluginProcess::WaitForTurn() {
  for (;;) {
    BootTime until;
    {
      const MutexLock lock(mutex_);
      until = next_try_;
    }
    const Microseconds left = until - clock_.BootNow();
    if (stopping_ || left <= Microseconds(0)) break;
    if (try_now_.exchange(false)) {
      policy_.Forget();
      break;
    }
    pollfd watched{wake_.descriptor(), POLLIN, 0};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    poll(&watched, 1, static_cast<int>(milliseconds));
    wake_.Clear();
  }
  try_now_ = false;
}

}  // namespace summa::host
