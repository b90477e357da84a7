// Cancels the statement of a session at a deadline: for statements that no timeout of the server
// may end.
#pragma once

#include <summa/mutex.hpp>
#include <summa/sql.hpp>

#include <chrono>
#include <cstdint>
#include <thread>

namespace summa::maintenance {

class DeadlineCancel {
 public:
  // sql: for a session of its own, opened when the deadline has come. Borrowed.
  DeadlineCancel(const summa_sql_v1* sql, Session& session, std::chrono::microseconds after);
  ~DeadlineCancel();
  DeadlineCancel(const DeadlineCancel&) = delete;
  DeadlineCancel& operator=(const DeadlineCancel&) = delete;

  bool cancelled() const;

 private:
  void Watch(std::chrono::steady_clock::time_point deadline);
  void Cancel() const;

  const summa_sql_v1* sql_;
  const std::int32_t pid_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  bool ended_ SUMMA_GUARDED_BY(mutex_) = false;
  bool cancelled_ SUMMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace summa::maintenance
