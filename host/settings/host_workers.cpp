#include "host/settings/host_workers.hpp"

#include <cstdint>

namespace summa::host {

const WorkerDeclaration& InboxCleanup() {
  static const WorkerDeclaration& worker = *new WorkerDeclaration([] {
    constexpr std::int64_t kHour = 3'600'000'000;
    WorkerDeclaration made;
    made.id = kInboxCleanupId;
    made.summary =
        "Deletes what consumers remember of messages handled longer ago than host.inbox_retention.";
    made.interval_microseconds = 6 * kHour;
    return made;
  }());
  return worker;
}

}  // namespace summa::host
