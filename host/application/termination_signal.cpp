#include "host/application/termination_signal.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

#include "host/error.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr int kImpatientExit = 75;

}  // namespace

TerminationSignal::TerminationSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal_descriptor_ = signalfd(-1, &signals, SFD_CLOEXEC);
  end_descriptor_ = eventfd(0, EFD_CLOEXEC);
  if (signal_descriptor_ < 0 || end_descriptor_ < 0) {
    throw Failure("SH-0901", "no descriptor for signals could be made");
  }
  listener_ = std::thread([this] { Listen(); });
}

TerminationSignal::~TerminationSignal() {
  const std::uint64_t one = 1;
  if (write(end_descriptor_, &one, sizeof one) == sizeof one) {
    listener_.join();
    close(signal_descriptor_);
    close(end_descriptor_);
  } else {
    listener_.detach();  // cannot happen with an eventfd; a leaked thread is better than a hang
  }
}

bool TerminationSignal::Wait(Microseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return requested_.load(); });
}

void TerminationSignal::Listen() {
  pollfd watched[2] = {{signal_descriptor_, POLLIN, 0}, {end_descriptor_, POLLIN, 0}};
  for (;;) {
    if (poll(watched, 2, -1) < 0) continue;  // EINTR
    if (watched[1].revents != 0) return;
    signalfd_siginfo signal{};
    if (read(signal_descriptor_, &signal, sizeof signal) != sizeof signal) continue;
    if (requested_.load()) {
      StopWaitingForReaders();
      Log(LogLevel::kWarn, "SH-0904", "second signal: ending at once");
      FlushLog();
      _exit(kImpatientExit);
    }
    {
      const std::lock_guard lock(mutex_);
      requested_ = true;
    }
    changed_.notify_all();
    StopWaitingForReaders();
    Log(LogLevel::kInfo, "", "asked to stop",
        {{"signal", signal.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM"}});
  }
}

}  // namespace summa::host
