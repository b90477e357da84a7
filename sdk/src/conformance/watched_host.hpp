// The host as the plugin sees it: real services of the test kit, and an eye on how they are used.
#pragma once

#include <summa/abi/operation.h>
#include <summa/abi/plugin.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <summa/bus.hpp>
#include <summa/conformance.hpp>
#include <summa/mutex.hpp>
#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/memory_bus.hpp>
#include "lent_memory.hpp"
#include "watched_sql.hpp"

namespace summa::conformance {

// Where the plugin is in its life: what it may use depends on it.
enum class Phase { kCreate, kConfigure, kRun, kDestroyed };

// Thread-safe.
class WatchedHost {
 public:
  // on_defect: a sentence about the plugin.
  WatchedHost(const Subject& subject, Sizes sizes,
              std::function<void(const std::string&)> on_defect);
  ~WatchedHost();
  WatchedHost(const WatchedHost&) = delete;
  WatchedHost& operator=(const WatchedHost&) = delete;

  const summa_host* table() const { return table_; }
  WatchedSql& sql() { return sql_; }
  testkit::MemoryBus& bus() { return bus_; }
  void SetPhase(Phase phase);
  // Services of other plugins and the database are unreachable.
  void SetAway(bool away);
  // The lease of the call that runs now; nullptr: none.
  void SetCurrentLease(WatchedLease* lease);
  // Lines that were logged since the last call of this.
  std::vector<testkit::LoggedLine> NewLines();
  std::vector<testkit::RecordedMetric> Metrics() const { return fake_.Metrics(); }
  // After destroy(): nothing of the host may be touched any more.
  void Revoke() { memory_.Revoke(); }

 private:
  static const void* GetService(const summa_host* table, const char* id);
  const void* Service(const char* id);
  static std::int32_t Find(void* self, summa_str id, summa_str alias, const void** service,
                           summa_str* provider_id, summa_error* error);
  static std::int32_t FindAll(void* self, summa_str id, summa_str alias,
                              void (*on_found)(void*, const void*, summa_str), void* result,
                              summa_error* error);
  // Nothing: the manifest does not require it.
  const DeclaredService* Required(std::string_view id, std::string_view alias) const;
  void LendServices();
  void Report(const std::string& defect) const { on_defect_(defect); }

  const Subject& subject_;
  const std::function<void(const std::string&)> on_defect_;
  std::atomic<Phase> phase_{Phase::kCreate};
  std::atomic<bool> away_{false};
  LentMemory memory_;
  testkit::FakeHost fake_;
  WatchedSql sql_;
  testkit::MemoryBus bus_;
  summa::detail::BusTable bus_table_{&bus_};
  struct Services {
    const void *log, *clock, *metrics, *sql, *registry, *lease, *operation, *bus;
  };
  Services services_{};
  const summa_host* table_ = nullptr;
  Mutex mutex_;
  std::size_t lines_seen_ SUMMA_GUARDED_BY(mutex_) = 0;
  WatchedLease* lease_ SUMMA_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace summa::conformance
