#include "host/application/termination_signal.hpp"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include "host/error.hpp"
#include "host/find.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr int kStops[] = {SIGTERM, SIGINT, SIGQUIT};
// By default they end the process, which is not what their sender wants. The timers of profilers
// (SIGPROF, SIGVTALRM) are left to those.
constexpr int kMeaningless[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGIO, SIGPWR, SIGSTKFLT};

std::string Name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : std::string("SIG") + name;
}

}  // namespace

TerminationSignal& TerminationSignal::Listen(Hangup hangup) {
  static auto* signal = new TerminationSignal(hangup);
  return *signal;
}

TerminationSignal::TerminationSignal(Hangup hangup) : hangup_(hangup) {
  struct sigaction before {};
  nohup_ = sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler == SIG_IGN;
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : kStops) sigaddset(&signals, signal);
  for (const int signal : kMeaningless) sigaddset(&signals, signal);
  // Those without a name, but for the ones that the C library keeps to itself.
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) sigaddset(&signals, signal);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal_descriptor_ = signalfd(-1, &signals, SFD_CLOEXEC);
  if (signal_descriptor_ < 0)
    throw Failure("SH-0901", "the descriptor for signals could not be created");
  listener_ = std::thread([this] { Read(); });
  listener_.detach();
}

void TerminationSignal::RequestStop() {
  {
    const MutexLock lock(mutex_);
    requested_ = true;
  }
  changed_.notify_all();
  StopWaitingForReaders();
}

void TerminationSignal::RequestReload() {
  {
    const MutexLock lock(mutex_);
    reload_ = true;
  }
  changed_.notify_all();
}

bool TerminationSignal::Wait(Microseconds time) {
  MutexLock lock(mutex_);
  return changed_.wait_for(lock, time,
                           [this]() SUMMA_REQUIRES(mutex_) { return requested_.load(); });
}

TerminationSignal::Event TerminationSignal::WaitForEvent(Microseconds time) {
  MutexLock lock(mutex_);
  changed_.wait_for(lock, time,
                    [this]() SUMMA_REQUIRES(mutex_) { return requested_.load() || reload_; });
  if (requested_) return Event::kStop;
  if (!reload_) return Event::kNothing;
  reload_ = false;
  return Event::kReload;
}

void TerminationSignal::Read() {
  for (;;) {
    signalfd_siginfo signal{};
    if (read(signal_descriptor_, &signal, sizeof signal) == sizeof signal) Act(signal);
  }
}

void TerminationSignal::Act(const signalfd_siginfo& signal) {
  const int number = static_cast<int>(signal.ssi_signo);
  const std::string name = Name(number);
  if (Contains(kStops, number)) return Stop(name.c_str(), true);
  if (number != SIGHUP) {
    // One line for each: equal messages are folded.
    Log(LogLevel::kInfo, "SH-0908", name + " has no meaning here and was ignored",
        {{"from_pid", std::to_string(signal.ssi_pid)}});
    return;
  }
  const bool terminal_gone = signal.ssi_code == SI_KERNEL;
  if (nohup_ && (terminal_gone || hangup_ == Hangup::kStops)) return;
  // Both the kernel and the shell may send it, so it never counts as the second signal.
  if (terminal_gone || hangup_ == Hangup::kStops) return Stop(name.c_str(), false);
  RequestReload();
}

// The flag first: stopping must not depend on whether it can be logged.
void TerminationSignal::Stop(const char* name, bool at_once_when_repeated) {
  const bool repeated = std::exchange(signalled_, true);
  RequestStop();
  if (repeated && at_once_when_repeated) {
    Log(LogLevel::kWarn, "SH-0904", "second signal: ending immediately", {{"signal", name}});
    FlushLog();
    _exit(SUMMA_E_TRY_LATER);
  }
  if (!repeated) Log(LogLevel::kInfo, "", "asked to stop", {{"signal", name}});
}

}  // namespace summa::host
