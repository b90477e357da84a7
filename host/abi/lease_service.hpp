// summa.lease/1 over the keeper of leases, which comes later than the plugins and goes earlier.
// Thread-safe.
#pragma once

#include <string_view>

#include "host/clock.hpp"
#include "host/lease/lease_keeper.hpp"
#include "summa/abi/lease.h"
#include "summa/mutex.hpp"

namespace summa::host {

class LeaseService {
 public:
  explicit LeaseService(const Clock& clock);
  LeaseService(const LeaseService&) = delete;
  LeaseService& operator=(const LeaseService&) = delete;

  const summa_lease_v1* table() const { return &table_; }
  // Whose leases are shown; nullptr: none are known. Returns when no call looks at the former one.
  void Show(const LeaseKeeper* keeper);

 private:
  static int32_t Read(void* self, summa_str worker_id, summa_lease_view* view,
                      summa_error* error) noexcept;
  LeaseStatus Status(std::string_view worker_id);

  const Clock& clock_;
  summa_lease_v1 table_{};
  Mutex mutex_;
  const LeaseKeeper* keeper_ SUMMA_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace summa::host
