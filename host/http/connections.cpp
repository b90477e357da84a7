#include "host/http/connections.hpp"
#include "summa/mutex.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace summa::host {

Connections::Connections(std::size_t most, Microseconds time)
    : most_(most), time_(time), watch_([this] { Watch(); }) {}

Connections::~Connections() { Stop(); }

void Connections::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (watch_.joinable()) watch_.join();
}

Connections::Entry* Connections::Add(int descriptor) {
  const MutexLock lock(mutex_);
  Entry& entry = entries_.emplace_back();
  entry.self_ = std::prev(entries_.end());
  entry.descriptor_ = descriptor;
  entry.since_ = std::chrono::steady_clock::now();
  metrics_.Open(entries_.size());
  if (++open_ > most_) CloseOne();
  if (entries_.size() == 1) changed_.notify_all();
  return &entry;
}

void Connections::Remove(Entry* entry) {
  const MutexLock lock(mutex_);
  if (!entry->closing_) --open_;
  entries_.erase(entry->self_);
  metrics_.Open(entries_.size());
}

void Connections::Idle(Entry* entry) {
  const MutexLock lock(mutex_);
  Move(*entry, true, nullptr);
}

void Connections::Busy(Entry* entry) {
  const MutexLock lock(mutex_);
  Move(*entry, false, nullptr);
}

void Connections::Handled(Entry* entry, const std::shared_ptr<HttpCall>& call) {
  const MutexLock lock(mutex_);
  Move(*entry, false, call);
}

// The list stays in the order of the times.
void Connections::Move(Entry& entry, bool idle, std::shared_ptr<HttpCall> call) {
  entry.idle_ = idle;
  entry.call_ = std::move(call);
  entry.since_ = std::chrono::steady_clock::now();
  entries_.splice(entries_.end(), entries_, entry.self_);
}

// With the lock held. The server notices, and removes it.
void Connections::Close(Entry& entry) {
  entry.closing_ = true;
  shutdown(entry.descriptor_, SHUT_RDWR);
}

// One that waits for a handler stays: few do, and their number has limits.
void Connections::CloseOne() {
  const auto gives_way = [&](bool idle) SUMMA_REQUIRES(mutex_) {
    return std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return !entry.closing_ && entry.call_ == nullptr && entry.idle_ == idle;
    });
  };
  auto found = gives_way(true);
  if (found == entries_.end()) found = gives_way(false);
  if (found == entries_.end()) return;
  Close(*found);
  --open_;
  metrics_.MadeRoom();
}

void Connections::Watch() {
  const MutexLock lock(mutex_);
  while (!stopping_) {
    if (entries_.empty()) {
      changed_.wait(mutex_);
    } else if (const Time due = entries_.front().since_ + time_;
               due > std::chrono::steady_clock::now()) {
      changed_.wait_until(mutex_, due);
    } else {
      GiveUp();
    }
  }
}

// The first one, whose time is over.
void Connections::GiveUp() {
  Entry& entry = entries_.front();
  const std::shared_ptr<HttpCall> call = entry.call_;
  if (call == nullptr && !entry.closing_) {
    Close(entry);
    --open_;
  }
  Move(entry, false, nullptr);  // one that was handled may now be read
  if (call == nullptr) return;
  const MutexUnlock unlock(mutex_);
  call->Answer(HttpError(504, "SH-0375",
                         "the request was not answered within host.http.timeout and was given up"));
}

}  // namespace summa::host
