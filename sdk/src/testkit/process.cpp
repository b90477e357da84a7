#include <summa/testkit/process.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <summa/testkit/wait_until.hpp>
#include <thread>

extern char** environ;

namespace summa::testkit {
namespace {

constexpr int kExecFailed = 127;
constexpr int kSignalBase = 128;

[[noreturn]] void ThrowErrno(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// A pipe whose two ends are closed on exec and in the destructor.
struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) ThrowErrno("pipe2");
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void CloseRead() { Close(read_end); }
  void CloseWrite() { Close(write_end); }

 private:
  static void Close(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
};

std::vector<std::string> EnvironmentFor(const ProcessOptions& options) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string::npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& name : options.without_environment) variables.erase(name);
  for (const auto& [name, value] : options.environment) variables[name] = value;
  std::vector<std::string> result;
  result.reserve(variables.size());
  for (const auto& [name, value] : variables) {
    result.push_back(std::string(name).append("=").append(value));
  }
  return result;
}

std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = folder;
    candidate.append("/").append(name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw std::runtime_error("program " + name + " not found in PATH");
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int OpenForAppend(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) ThrowErrno("open " + path);
  return file;
}

// Everything the child needs between fork and exec, where only async-signal-safe calls are allowed.
struct ChildPlan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* working_directory;
  int in, out, err;
  int death_signal;
  bool own_process_group;
  pid_t parent;
};

[[noreturn]] void BecomeChild(const ChildPlan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (plan.own_process_group) setpgid(0, 0);
  dup2(plan.in, STDIN_FILENO);
  dup2(plan.out, STDOUT_FILENO);
  dup2(plan.err, STDERR_FILENO);
  if (plan.death_signal != 0) {
    prctl(PR_SET_PDEATHSIG, plan.death_signal);
    // The parent may have died before the line above; then no signal comes.
    if (getppid() != plan.parent) _exit(kExecFailed);
  }
  if (plan.working_directory != nullptr && chdir(plan.working_directory) != 0) _exit(kExecFailed);
  execve(plan.program, plan.arguments, plan.environment);
  constexpr char kMessage[] = "cannot execute the program\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  _exit(kExecFailed);
}

}  // namespace

struct Process::State {
  std::string name;
  pid_t pid = -1;
  std::mutex reap_mutex;  // waitpid of one child by two threads loses the status
  std::optional<int> exit_code;
  Usage final_usage;

  mutable std::mutex text_mutex;
  std::string out, err;
  std::size_t limit = 0;
  std::unique_ptr<Pipe> stop = std::make_unique<Pipe>();
  std::thread reader;

  void Keep(std::string& text, const char* data, std::size_t size) {
    const std::lock_guard lock(text_mutex);
    if (text.size() < limit) text.append(data, std::min(size, limit - text.size()));
  }

  // Feeds stdin and drains stdout and stderr until both are closed or `stop` becomes readable.
  void Pump(std::unique_ptr<Pipe> in, std::unique_ptr<Pipe> out_pipe,
            std::unique_ptr<Pipe> err_pipe, const std::string& input) {
    std::size_t fed = 0;
    const auto feed = [&] {
      const auto count = write(in->write_end, input.data() + fed, input.size() - fed);
      if (count > 0) fed += static_cast<std::size_t>(count);
      if (fed == input.size() || (count < 0 && errno != EAGAIN && errno != EINTR)) in->CloseWrite();
    };
    const auto drain = [this](Pipe& pipe, std::string& text) {
      std::array<char, 65536> buffer;
      const auto count = read(pipe.read_end, buffer.data(), buffer.size());
      if (count > 0) Keep(text, buffer.data(), static_cast<std::size_t>(count));
      if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) pipe.CloseRead();
    };
    if (input.empty()) in->CloseWrite();
    while (out_pipe->read_end >= 0 || err_pipe->read_end >= 0) {
      pollfd polled[] = {{out_pipe->read_end, POLLIN, 0},
                         {err_pipe->read_end, POLLIN, 0},
                         {in->write_end, POLLOUT, 0},
                         {stop->read_end, POLLIN, 0}};
      if (poll(polled, 4, -1) < 0 && errno != EINTR) return;
      if (polled[0].revents != 0) drain(*out_pipe, out);
      if (polled[1].revents != 0) drain(*err_pipe, err);
      if (polled[2].revents != 0) feed();
      // Only stop when nothing is left to read: a killed child's last words count.
      if (polled[3].revents != 0 && polled[0].revents == 0 && polled[1].revents == 0) return;
    }
  }

  bool Reap() {
    const std::lock_guard lock(reap_mutex);
    if (exit_code) return true;
    int status = 0;
    rusage used{};
    pid_t done;
    do {
      done = wait4(pid, &status, WNOHANG, &used);
    } while (done < 0 && errno == EINTR);
    if (done == 0) return false;
    if (done < 0) {
      exit_code = kExecFailed;
      return true;
    }
    exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    final_usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    final_usage.peak_resident_bytes = static_cast<std::size_t>(used.ru_maxrss) * 1024;
    return true;
  }

  // Grandchildren may hold the pipes open for ever, so the reader is told to stop.
  void FinishReading() {
    if (!reader.joinable()) return;
    [[maybe_unused]] const auto written = write(stop->write_end, "x", 1);
    reader.join();
  }
};

Process::Process(std::vector<std::string> arguments, ProcessOptions options)
    : state_(std::make_unique<State>()) {
  // Writing to a child that has gone must be an error here, not the death of the test.
  signal(SIGPIPE, SIG_IGN);
  state_->name = arguments.at(0);
  state_->limit = options.capture_limit_bytes;
  const std::string program = FindProgram(arguments[0]);
  auto environment = EnvironmentFor(options);
  const auto argument_pointers = Pointers(arguments);
  const auto environment_pointers = Pointers(environment);

  auto in = std::make_unique<Pipe>();
  auto out = std::make_unique<Pipe>();
  auto err = std::make_unique<Pipe>();
  const int out_file = options.stdout_path.empty() ? -1 : OpenForAppend(options.stdout_path);
  const int err_file = options.stderr_path.empty() ? -1 : OpenForAppend(options.stderr_path);
  fcntl(in->write_end, F_SETFL, O_NONBLOCK);

  const bool on_main_thread = syscall(SYS_gettid) == getpid();
  const ChildPlan plan{
      program.c_str(),
      argument_pointers.data(),
      environment_pointers.data(),
      options.working_directory.empty() ? nullptr : options.working_directory.c_str(),
      in->read_end,
      out_file >= 0 ? out_file : out->write_end,
      err_file >= 0 ? err_file : err->write_end,
      on_main_thread ? options.signal_on_parent_death : 0,
      options.own_process_group,
      getpid()};
  state_->pid = fork();
  if (state_->pid == 0) BecomeChild(plan);
  if (out_file >= 0) close(out_file);
  if (err_file >= 0) close(err_file);
  if (state_->pid < 0) ThrowErrno("fork for " + state_->name);
  in->CloseRead();
  out->CloseWrite();
  err->CloseWrite();
  state_->reader =
      std::thread([state = state_.get(), in = std::move(in), out = std::move(out),
                   err = std::move(err), text = std::move(options.stdin_text)]() mutable {
        state->Pump(std::move(in), std::move(out), std::move(err), text);
      });
}

Process::~Process() {
  if (!state_->Reap()) {
    kill(state_->pid, SIGKILL);
    BecomesTrue([this] { return state_->Reap(); });
  }
  state_->FinishReading();
}

pid_t Process::Pid() const { return state_->pid; }

bool Process::Running() { return !state_->Reap(); }

void Process::Signal(int signal_number) {
  // Never after reaping: the pid may belong to somebody else by then.
  const std::lock_guard lock(state_->reap_mutex);
  if (!state_->exit_code) kill(state_->pid, signal_number);
}

std::optional<int> Process::Wait(std::chrono::milliseconds timeout) {
  if (!BecomesTrue([this] { return state_->Reap(); }, timeout)) return std::nullopt;
  state_->FinishReading();
  return state_->exit_code;
}

int Process::WaitOrKill(std::chrono::milliseconds timeout) {
  if (const auto code = Wait(timeout)) return *code;
  Signal(SIGKILL);
  Wait(kTimeout);
  throw std::runtime_error(state_->name + " did not end within " + std::to_string(timeout.count()) +
                           " ms and was killed\nstdout:\n" + Stdout() + "\nstderr:\n" + Stderr());
}

std::string Process::Stdout() const {
  const std::lock_guard lock(state_->text_mutex);
  return state_->out;
}

std::string Process::Stderr() const {
  const std::lock_guard lock(state_->text_mutex);
  return state_->err;
}

Usage Process::Use() {
  if (!state_->Reap()) return UsageOf(state_->pid);
  return state_->final_usage;
}

RunResult RunProgram(std::vector<std::string> arguments, ProcessOptions options,
                     std::chrono::milliseconds timeout) {
  Process process(std::move(arguments), std::move(options));
  const int code = process.WaitOrKill(timeout);
  return {code, process.Stdout(), process.Stderr()};
}

RunResult RunOrThrow(std::vector<std::string> arguments, ProcessOptions options,
                     std::chrono::milliseconds timeout) {
  std::string command;
  for (const auto& argument : arguments) command += argument + " ";
  auto result = RunProgram(std::move(arguments), std::move(options), timeout);
  if (result.exit_code != 0) {
    throw std::runtime_error(command + "ended with " + std::to_string(result.exit_code) + "\n" +
                             result.out + result.err);
  }
  return result;
}

namespace {

// Fields of /proc/PID/stat from the third on (the name before may hold blanks and brackets).
std::vector<std::string> StatFields(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto bracket = line.rfind(')');
  if (bracket == std::string::npos) return {};
  std::istringstream rest(line.substr(bracket + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

// Positions in StatFields, see proc(5), whose numbering starts at 1 and includes pid and name.
constexpr std::size_t kStatState = 3 - 3;
constexpr std::size_t kStatUserTicks = 14 - 3;
constexpr std::size_t kStatSystemTicks = 15 - 3;
constexpr std::size_t kStatStartTime = 22 - 3;

}  // namespace

Usage UsageOf(pid_t pid) {
  Usage usage;
  const auto fields = StatFields(pid);
  if (fields.size() > kStatStartTime) {
    const auto ticks = std::stoll(fields[kStatUserTicks]) + std::stoll(fields[kStatSystemTicks]);
    usage.cpu_seconds = static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    std::size_t kilobytes = 0;
    words >> key >> kilobytes;
    if (key == "VmRSS:") usage.resident_bytes = kilobytes * 1024;
    if (key == "VmHWM:") usage.peak_resident_bytes = kilobytes * 1024;
  }
  return usage;
}

std::optional<std::string> StartTimeOf(pid_t pid) {
  const auto fields = StatFields(pid);
  if (fields.size() <= kStatStartTime || fields[kStatState] == "Z") return std::nullopt;
  return fields[kStatStartTime];
}

}  // namespace summa::testkit
