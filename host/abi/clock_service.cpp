#include "host/abi/clock_service.hpp"

#include <cstdint>

namespace summa::host {

ClockService::ClockService(const Clock& clock) : clock_(clock) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.boot_microseconds = [](void* self) noexcept -> std::int64_t {
    return ToMicroseconds(static_cast<const ClockService*>(self)->clock_.BootNow());
  };
  table_.unix_microseconds = [](void* self) noexcept -> std::int64_t {
    return ToMicroseconds(static_cast<const ClockService*>(self)->clock_.UnixNow());
  };
}

}  // namespace summa::host
