#include "manager/deadline_cancel.hpp"

#include <chrono>
#include <cstdint>
#include <thread>

namespace summa::maintenance {
namespace {

// A cancel that comes between two statements has no effect, so it is sent again.
constexpr std::chrono::seconds kAgain{1};

}  // namespace

DeadlineCancel::DeadlineCancel(const summa_sql_v1* sql, Session& session,
                               std::chrono::microseconds after)
    : sql_(sql), pid_(session.Exec("SELECT pg_backend_pid()").Value<std::int32_t>()) {
  const auto deadline = std::chrono::steady_clock::now() + after;
  thread_ = std::thread([this, deadline] { Watch(deadline); });
}

DeadlineCancel::~DeadlineCancel() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool DeadlineCancel::cancelled() const {
  const MutexLock lock(mutex_);
  return cancelled_;
}

void DeadlineCancel::Watch(std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  while (!ended_) {
    if (std::chrono::steady_clock::now() < deadline) {
      changed_.wait_until(lock, deadline);
      continue;
    }
    cancelled_ = true;
    // Under the mutex: the session runs nothing else as long as this object lives.
    Cancel();
    deadline = std::chrono::steady_clock::now() + kAgain;
  }
}

void DeadlineCancel::Cancel() const {
  try {
    Session session(sql_);
    session.Exec("SELECT pg_cancel_backend($1)", {pid_});
  } catch (const Error&) {
    // Tried again.
  }
}

}  // namespace summa::maintenance
