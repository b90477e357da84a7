// summa.sql/1 as the plugin sees it: hands every call on, counts what is left open, takes the lease
// away at a chosen statement, and sees who writes after that.
#pragma once

#include <summa/abi/sql.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <summa/mutex.hpp>
#include <summa/testkit/scripted_sql.hpp>
#include "lent_memory.hpp"

namespace summa::conformance {

// The lease of one call: of a tick, of a verb. Thread-safe.
class WatchedLease {
 public:
  // lost_at: the number of the statement (from 1) at which it is lost; 0: never.
  explicit WatchedLease(std::size_t lost_at = 0) : lost_at_(lost_at) {}
  WatchedLease(const WatchedLease&) = delete;
  WatchedLease& operator=(const WatchedLease&) = delete;

  void CountStatement();
  std::size_t statements() const;
  bool lost() const;
  // This thread was told so: by a status or by should_stop().
  void TellThisThread();
  bool ThisThreadKnows() const;

 private:
  const std::size_t lost_at_;
  mutable Mutex mutex_;
  std::size_t statements_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::set<std::thread::id> told_ SUMMA_GUARDED_BY(mutex_);
};

// Thread-safe.
class WatchedSql {
 public:
  // on_defect: a sentence about the plugin. inner: nullptr: statements succeed without rows.
  WatchedSql(const summa_sql_v1* inner, std::function<void(const std::string&)> on_defect);
  ~WatchedSql();
  WatchedSql(const WatchedSql&) = delete;
  WatchedSql& operator=(const WatchedSql&) = delete;

  // A table for as long as `memory` lends it; lease: nullptr: sessions without one. `opened_in` is
  // the call whose sessions they are.
  const summa_sql_v1* Lend(LentMemory& memory, std::string opened_in, WatchedLease* lease);
  // The lease that a call has at the moment; what is written without it is looked at then.
  void SetCurrentLease(WatchedLease* lease);
  // open() fails with SUMMA_E_UNAVAILABLE.
  void SetAway(bool away);
  // The call in which nothing may be opened; nullptr: none.
  void SetForbiddenIn(const char* call) { forbidden_in_ = call; }

  // Sessions that were opened in this call and are still open (empty: in any call). Named once.
  std::vector<std::string> LeftOpen(const std::string& opened_in);
  std::size_t unfreed_results() const;

 private:
  struct Table {
    WatchedSql* owner;
    std::string opened_in;
    WatchedLease* lease;
  };
  struct Session;
  // The functions of the table; they find their way back from `self` and from the session.
  struct Functions;
  using Call = std::function<std::int32_t(summa_sql_session* inside)>;

  std::int32_t Open(const Table& table, summa_str database, summa_sql_session** out,
                    summa_error* error);
  void Close(summa_sql_session* handle);
  // Calls the session inside. Refuses one that is not open, or that another thread uses.
  std::int32_t Use(summa_sql_session* handle, const char* function, summa_error* error,
                   const Call& call);
  void CountStatement(summa_sql_session* handle);
  // The lease of this session is lost, and its thread learns it.
  bool IsFenced(summa_sql_session* handle);
  void SeeWrite(summa_sql_session* handle, std::string_view statement);
  void Keep(const summa_sql_result* result);
  void Free(summa_sql_result* result);
  void Report(const std::string& defect) const { on_defect_(defect); }

  const std::function<void(const std::string&)> on_defect_;
  std::unique_ptr<testkit::ScriptedSql> scripted_;  // behind inner_, where none was given
  const summa_sql_v1* inner_;
  std::atomic<const char*> forbidden_in_{nullptr};
  mutable Mutex mutex_;
  std::map<summa_sql_session*, std::unique_ptr<Session>> sessions_ SUMMA_GUARDED_BY(mutex_);
  std::set<const summa_sql_result*> results_ SUMMA_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Table>> tables_ SUMMA_GUARDED_BY(mutex_);
  WatchedLease* current_lease_ SUMMA_GUARDED_BY(mutex_) = nullptr;
  bool away_ SUMMA_GUARDED_BY(mutex_) = false;
};

}  // namespace summa::conformance
