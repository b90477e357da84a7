// What the host knows about the lease of a worker (summa.lease/1); read-only.
#pragma once

#include <summa/host.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace summa {

struct LeaseView {
  bool held = false;       // by this host
  bool trusted = false;    // held, and not near its end
  std::int64_t fence = 0;  // held only
  std::chrono::microseconds trust_left{0};
  std::string holder;  // empty: nobody, or unknown
  // By this host's wall clock; for people only. Absent: unknown, or without an end.
  std::optional<UnixTime> lease_until;
};

// Does not query the database; cheap enough for every message of a batch. Any thread, from
// Plugin::Configure on. On a host without the service (older than this header) the result is empty.
// Error: SUMMA_E_USAGE.
inline LeaseView ReadLease(const Host& host, std::string_view worker_id) {
  LeaseView result;
  const summa_lease_v1* service = host.lease();
  if (service == nullptr) return result;
  summa_lease_view view{};
  view.struct_size = sizeof view;
  summa_error error = detail::EmptyError();
  detail::Check(service->look(service->self, ToAbi(worker_id), &view, &error), error);
  result.held = view.held != 0;
  result.trusted = view.trusted != 0;
  result.fence = view.fence;
  result.trust_left = std::chrono::microseconds(view.trust_microseconds);
  result.holder = view.holder;
  if (view.lease_until_unix_microseconds != 0) {
    result.lease_until = FromMicroseconds<UnixTime>(view.lease_until_unix_microseconds);
  }
  return result;
}

}  // namespace summa
