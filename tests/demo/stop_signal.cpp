#include "tests/demo/stop_signal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace summa::demo {
namespace {

std::atomic<int> requests{0};
int wake_pipe[2] = {-1, -1};

void OnSignal(int) {
  const int saved = errno;
  ++requests;
  [[maybe_unused]] const auto written = write(wake_pipe[1], "x", 1);
  errno = saved;
}

}  // namespace

void CatchStopSignals() {
  if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();  // no descriptor at all
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) {
    sigaction(signal_number, &action, nullptr);
  }
}

int StopRequests() { return requests; }

void PauseUnlessStopped(std::chrono::milliseconds pause) {
  pollfd woken{wake_pipe[0], POLLIN, 0};
  if (poll(&woken, 1, static_cast<int>(pause.count())) <= 0) return;
  // The byte is used up: the next pause waits for the next request.
  char byte;
  [[maybe_unused]] const auto size = read(wake_pipe[0], &byte, 1);
}

}  // namespace summa::demo
