// Reads what a topic holds, without a group: oldest first by the time of the messages, over all of
// its partitions. Every call has a connection of its own, and memory that is bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <summa/bus_types.hpp>
#include <vector>

#include "plugins/bus-kafka/client.hpp"
#include "plugins/bus-kafka/place.hpp"
#include "plugins/bus-kafka/topic_admin.hpp"

namespace summa::bus_kafka {

class TopicReader {
 public:
  TopicReader(ClientOptions client, TopicAdmin& admin)
      : options_(std::move(client)), admin_(admin) {}

  // As summa.bus/1 has them. `stream` is what messages say where they are.
  void Scan(const std::string& topic, const ScanOptions& options, const OnDelivery& on_message);
  void Read(const std::string& topic, const std::string& stream, std::string_view after,
            std::size_t count, const OnDelivery& on_message);
  // retention: what Kafka keeps at least; ahead: its clock minus that of this host.
  summa_bus_horizon Horizon(const std::string& topic, std::chrono::microseconds retention,
                            std::chrono::milliseconds ahead);
  // Where a group continues that is set to this place, by partition. Throws SUMMA_E_USAGE.
  std::vector<std::int64_t> Resolve(const std::string& topic, int partitions,
                                    std::string_view place);

 private:
  struct Range {
    std::int64_t begin = 0, end = 0;
  };
  std::vector<Range> RangesFor(const std::string& topic, int partitions,
                               const ScanOptions& options);
  // The first offset of each partition that comes behind a place in the order of a scan.
  std::vector<std::int64_t> Behind(const std::string& topic, int partitions, Place place,
                                   bool inclusive);
  std::optional<std::int64_t> TimeAt(const std::string& topic, Place place);
  void Merge(const std::string& topic, const std::string& stream, std::vector<Range> ranges,
             std::uint64_t limit, const OnDelivery& on_message);

  const ClientOptions options_;
  TopicAdmin& admin_;
};

}  // namespace summa::bus_kafka
