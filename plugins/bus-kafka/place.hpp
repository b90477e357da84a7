// Names and places: streams as topics, groups of a stream as groups of Kafka, and where a message
// is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace summa::bus_kafka {

// Where a message is: "PARTITION:OFFSET".
struct Place {
  std::int32_t partition = 0;
  std::int64_t offset = 0;

  std::string Text() const { return std::to_string(partition) + ":" + std::to_string(offset); }
};
std::optional<Place> ParsePlace(std::string_view text);

class Naming {
 public:
  Naming(std::string topic_prefix, std::string group_prefix)
      : topic_prefix_(std::move(topic_prefix)), group_prefix_(std::move(group_prefix)) {}

  // Throws SUMMA_E_USAGE SH-0605 for a name that is none of a stream, or of a topic.
  std::string TopicOf(std::string_view stream) const;
  std::string GroupOf(std::string_view group, std::string_view topic) const;
  // nullopt: the topic is none of this bus.
  std::optional<std::string> StreamOf(std::string_view topic) const;
  struct GroupName {
    std::string group, topic;
  };
  std::optional<GroupName> ReadGroup(std::string_view id) const;

 private:
  const std::string topic_prefix_, group_prefix_;
};

}  // namespace summa::bus_kafka
