// Child processes of a test. Link Summa::testkit.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace summa::testkit {

// What a process used. CPU is user plus system time; memory is zero once the process has ended.
struct Usage {
  double cpu_seconds = 0;
  std::size_t resident_bytes = 0;
  std::size_t peak_resident_bytes = 0;
};

struct ProcessOptions {
  // Added to, or replacing, the variables of this process.
  std::map<std::string, std::string> environment;
  // Variables of this process that the child must not see.
  std::vector<std::string> without_environment;
  std::string working_directory;  // empty: as this process
  std::string stdout_path;        // empty: captured; else appended to this file
  std::string stderr_path;        // empty: captured; else appended to this file
  std::string stdin_text;         // what the child reads; then end of file
  // Signal to the child when this process dies, 0 for none. The kernel sends it when the *thread*
  // that started the child ends, so it is only set when that is the main thread.
  int signal_on_parent_death = 9;
  // A process group of its own: Ctrl-C at a terminal then reaches this process and not the child.
  bool own_process_group = false;
  // Captured text above this is read and dropped, so that a noisy child neither blocks nor fills
  // us.
  std::size_t capture_limit_bytes = 16u << 20;
};

// A child process with captured output. Owns the child: the destructor kills (SIGKILL) and reaps
// it. Thread-safety: Stdout, Stderr, Running, Use and Signal may be called from any thread; Wait
// and the destructor from one. Errors: std::runtime_error when the program cannot be started.
class Process {
 public:
  // `arguments[0]` is the program, searched in PATH when it holds no slash.
  explicit Process(std::vector<std::string> arguments, ProcessOptions options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t Pid() const;
  bool Running();
  void Signal(int signal_number);

  // Exit code, or 128 + signal number; nullopt when still running after `timeout`.
  std::optional<int> Wait(std::chrono::milliseconds timeout);
  // As Wait, but a child that does not end is killed and std::runtime_error thrown with its output.
  int WaitOrKill(std::chrono::milliseconds timeout);

  std::string Stdout() const;
  std::string Stderr() const;
  Usage Use();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct RunResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Starts a program, waits for its end (kills it and throws after `timeout`).
RunResult RunProgram(std::vector<std::string> arguments, ProcessOptions options = {},
                     std::chrono::milliseconds timeout = std::chrono::minutes(3));

// As RunProgram, and throws std::runtime_error with the output when the exit code is not 0.
RunResult RunOrThrow(std::vector<std::string> arguments, ProcessOptions options = {},
                     std::chrono::milliseconds timeout = std::chrono::minutes(3));

// CPU and memory of any process from /proc; zeros when it is gone.
Usage UsageOf(pid_t pid);

// Start time of a process in clock ticks since boot, which with the pid names a process for ever;
// nullopt when there is none (a zombie counts as none).
std::optional<std::string> StartTimeOf(pid_t pid);

}  // namespace summa::testkit
