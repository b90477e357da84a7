// One end of the socket between a host and the process of a plugin.
#pragma once

#include <atomic>
#include <utility>
#include <vector>

#include "host/process/message.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class Link {
 public:
  // The two ends of a new one. Throws std::system_error.
  static std::pair<int, int> MakePair();

  // Owns the descriptor.
  explicit Link(int descriptor);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Any thread. False: the other end is gone, or has read nothing for so long that it is as good as
  // gone; the link is shut then. Throws MessageProblem when the message is too large; nothing was
  // sent.
  bool Send(const Message& message);
  // One thread, when descriptor() is readable: adds what has arrived. False: no more will.
  bool Receive(std::vector<Message>& messages);
  int descriptor() const { return descriptor_; }
  // Both ends find that nothing comes any more. Any thread.
  void Shut() noexcept;

 private:
  bool SendAll(std::string_view bytes) SUMMA_REQUIRES(send_mutex_);

  const int descriptor_;
  MessageReader reader_;
  Mutex send_mutex_;
  std::atomic<bool> shut_{false};
};

}  // namespace summa::host
