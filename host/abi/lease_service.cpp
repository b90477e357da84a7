#include "host/abi/lease_service.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "summa/error.hpp"

namespace summa::host {

LeaseService::LeaseService(const Clock& clock) : clock_(clock) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.look = &LeaseService::Read;
}

void LeaseService::Show(const LeaseKeeper* keeper) {
  const MutexLock lock(mutex_);
  keeper_ = keeper;
}

LeaseStatus LeaseService::Status(std::string_view worker_id) {
  const MutexLock lock(mutex_);
  return keeper_ == nullptr ? LeaseStatus{} : keeper_->Status(std::string(worker_id));
}

int32_t LeaseService::Read(void* self, summa_str worker_id, summa_lease_view* view,
                           summa_error* error) noexcept {
  if (view == nullptr || view->struct_size <= sizeof view->struct_size) {
    return summa::detail::Fill(error, SUMMA_E_USAGE, "",
                               "the given view of a lease is null or too small",
                               "set struct_size to sizeof(summa_lease_view)");
  }
  try {
    auto& service = *static_cast<LeaseService*>(self);
    const LeaseStatus lease = service.Status(FromAbi(worker_id));
    summa_lease_view full{};
    full.struct_size = view->struct_size;
    full.held = lease.ours ? 1 : 0;
    full.trusted = lease.trusted ? 1 : 0;
    full.fence = lease.fence;
    full.trust_microseconds = lease.trust_remaining.count();
    if (lease.remaining > Microseconds(0)) {
      full.lease_until_unix_microseconds =
          ToMicroseconds(service.clock_.UnixNow() + lease.remaining);
    }
    summa::detail::CopyText(full.holder, lease.holder);
    // A smaller struct of the caller is filled as far as it goes.
    std::memcpy(view, &full, std::min<std::size_t>(sizeof full, view->struct_size));
    return SUMMA_OK;
  } catch (const std::exception& failure) {
    return summa::detail::Fill(error, SUMMA_E_INTERNAL, "SH-0901", failure.what());
  } catch (...) {
    return summa::detail::Fill(error, SUMMA_E_INTERNAL, "SH-0901", "unknown exception");
  }
}

}  // namespace summa::host
