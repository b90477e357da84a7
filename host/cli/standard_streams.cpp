#include "host/cli/standard_streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ostream>
#include <streambuf>
#include <string>
#include <utility>

#include "host/observe/log.hpp"
#include "host/observe/log_writer.hpp"
#include "summa/abi/plugin.h"

namespace summa::host {
namespace {

constexpr std::chrono::milliseconds kPollInterval{100};
// A process that is ending waits this long for a reader that reads nothing.
constexpr std::chrono::milliseconds kReaderTimeout{500};

// False: nobody reads, and nobody is waited for.
bool WaitForRoom() {
  pollfd watched{STDOUT_FILENO, POLLOUT, 0};
  auto given_up_at = std::chrono::steady_clock::now() + kReaderTimeout;
  while (poll(&watched, 1, static_cast<int>(kPollInterval.count())) == 0) {
    const auto now = std::chrono::steady_clock::now();
    if (WaitsForReaders()) given_up_at = now + kReaderTimeout;
    if (now >= given_up_at) return false;
  }
  return true;  // the write reports errors
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
  int sync() override {
    const std::string text = std::exchange(text_, {});
    return WriteInPieces(STDOUT_FILENO, text, WaitForRoom) == text.size() ? 0 : -1;
  }

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
    if (open("/dev/null", mode) != descriptor) _exit(SUMMA_E_INTERNAL);
  }
}

std::ostream& OutputStream() {
  static auto* stream = new std::ostream(new OutputBuffer);
  return *stream;
}

}  // namespace summa::host
