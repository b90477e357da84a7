#include "host/process/link.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string_view>
#include <system_error>

namespace summa::host {
namespace {

// A process reads what it is sent on a thread that does nothing else.
constexpr std::chrono::seconds kSendTimeout{5};
constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

}  // namespace

std::pair<int, int> Link::MakePair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "no socket for the process");
  }
  return {ends[0], ends[1]};
}

Link::Link(int descriptor) : descriptor_(descriptor) {}

Link::~Link() { close(descriptor_); }

void Link::Shut() noexcept {
  shut_ = true;
  shutdown(descriptor_, SHUT_RDWR);
}

bool Link::Send(const Message& message) {
  const std::string bytes = Encode(message);
  const MutexLock lock(send_mutex_);
  if (shut_) return false;
  if (SendAll(bytes)) return true;
  // What follows would be read as the rest of this one.
  Shut();
  return false;
}

bool Link::SendAll(std::string_view bytes) {
  auto given_up_at = std::chrono::steady_clock::now() + kSendTimeout;
  while (!bytes.empty()) {
    const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      given_up_at = std::chrono::steady_clock::now() + kSendTimeout;
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        given_up_at - std::chrono::steady_clock::now());
    pollfd watched{descriptor_, POLLOUT, 0};
    if (left.count() <= 0 || poll(&watched, 1, static_cast<int>(left.count())) == 0) return false;
  }
  return true;
}

bool Link::Receive(std::vector<Message>& messages) {
  char piece[kPieceBytes];
  for (;;) {
    const ssize_t size = recv(descriptor_, piece, sizeof piece, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (size <= 0) return false;
    reader_.Add({piece, static_cast<std::size_t>(size)});
    try {
      while (std::optional<Message> message = reader_.Next()) {
        messages.push_back(*std::move(message));
      }
    } catch (const MessageProblem&) {
      Shut();
      return false;
    }
  }
}

}  // namespace summa::host
