// Keepers against one database, and Summa's own way to take a lease.
#pragma once

#include <map>
#include <mutex>

#include "host/lease/lease_keeper.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Stands still, at any distance from the real time, until it is moved.
class FakeClock final : public Clock {
 public:
  BootTime BootNow() const override { return FromMicroseconds<BootTime>(now_.load()); }
  UnixTime UnixNow() const override {
    return UnixTime(std::chrono::hours(-10'000));  // quite wrong
  }
  void Advance(Microseconds span) { now_ += span.count(); }

 private:
  std::atomic<std::int64_t> now_{1'000'000};
};

class LeaseTest : public DatabaseTest {
 protected:
  std::unique_ptr<LeaseKeeper> Keeper(const std::string& holder,
                                      const Clock& clock = SystemClock()) {
    return std::make_unique<LeaseKeeper>(settings_, holder, clock, [this](const std::string& id) {
      const std::lock_guard lock(mutex_);
      ++lost_[id];
    });
  }
  // A lease that is short for a busy machine, where it may be over before the answer comes.
  static LeaseGuard TakeShort(LeaseKeeper& keeper, const std::string& worker,
                              Microseconds time_to_live) {
    std::optional<LeaseGuard> guard;
    test::WaitUntil(
        [&] {
          try {
            guard = keeper.TryAcquire(worker, time_to_live);
          } catch (const SqlFailure&) {
            return false;
          }
          return guard.has_value();
        },
        test::kTimeout, "a short lease");
    return *guard;
  }
  int Lost(const std::string& worker = "w") {
    const std::lock_guard lock(mutex_);
    return lost_[worker];
  }
  // Whether Summa's own statement gets the lease.
  bool SummaTakes(const std::string& holder) {
    return db_->Query(
                  "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES "
                  "('w', $1, now() + interval '1 hour') ON CONFLICT (worker_id) DO UPDATE SET "
                  "lease_holder = excluded.lease_holder, lease_until = excluded.lease_until "
                  "WHERE worker_lease.lease_until < NOW() RETURNING worker_id",
                  {holder})
               .size() == 1;
  }
  std::string Until() { return db_->Value("SELECT lease_until FROM worker_lease"); }
  void Expire() { db_->Execute("UPDATE worker_lease SET lease_until = now() - interval '1 s'"); }
  std::string RenewalBackend() {
    return db_->Value(
        "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE application_name "
        "LIKE '% renewals' AND datname = current_database()");
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> lost_;
};

}  // namespace summa::host
