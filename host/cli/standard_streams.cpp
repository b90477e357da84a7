#include "host/cli/standard_streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <ostream>
#include <streambuf>
#include <string>
#include <utility>

#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr int kDefectExit = 70;
constexpr std::chrono::milliseconds kPollInterval{100};
// A process that is ending waits this long for a reader that reads nothing.
constexpr std::chrono::milliseconds kReaderTimeout{500};

// False: nobody reads, and nobody is waited for.
bool WaitForRoom(int descriptor) {
  pollfd watched{descriptor, POLLOUT, 0};
  auto given_up_at = std::chrono::steady_clock::now() + kReaderTimeout;
  while (poll(&watched, 1, static_cast<int>(kPollInterval.count())) == 0) {
    const auto now = std::chrono::steady_clock::now();
    if (WaitsForReaders()) given_up_at = now + kReaderTimeout;
    if (now >= given_up_at) return false;
  }
  return true;  // the write reports errors
}

bool WriteAll(int descriptor, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    if (!WaitForRoom(descriptor)) return false;
    // A pipe with room takes so much at once.
    const std::size_t size = std::min<std::size_t>(text.size() - done, PIPE_BUF);
    const ssize_t written = write(descriptor, text.data() + done, size);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      poll(nullptr, 0, 1);  // there is room, but not enough: the reader needs a moment
    } else if (written == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

class OutputBuffer : public std::streambuf {
 protected:
  int_type overflow(int_type character) override {
    if (!traits_type::eq_int_type(character, traits_type::eof())) {
      text_ += traits_type::to_char_type(character);
    }
    return traits_type::not_eof(character);
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    text_.append(text, static_cast<std::size_t>(size));
    return size;
  }
  int sync() override { return WriteAll(STDOUT_FILENO, std::exchange(text_, {})) ? 0 : -1; }

 private:
  std::string text_;
};

}  // namespace

void PrepareStandardStreams() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is given out, which is this one. A stdout that can only be read lets
    // no result seem to be written.
    const int mode = descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", mode) != descriptor) _exit(kDefectExit);
  }
}

std::ostream& OutputStream() {
  static auto* stream = new std::ostream(new OutputBuffer);
  return *stream;
}

}  // namespace summa::host
