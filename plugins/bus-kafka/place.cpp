#include "plugins/bus-kafka/place.hpp"

#include <charconv>
#include <summa/bus_envelope.hpp>
#include <summa/error.hpp>
#include <system_error>

namespace summa::bus_kafka {
namespace {

constexpr std::size_t kMaximumTopicName = 249;  // of Kafka

template <typename T>
bool Parse(std::string_view text, T& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && end == text.data() + text.size() && value >= 0;
}

bool IsTopicName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= kMaximumTopicName;
}

}  // namespace

std::optional<Place> ParsePlace(std::string_view text) {
  const std::size_t colon = text.find(':');
  Place place;
  if (colon == std::string_view::npos) return std::nullopt;
  if (!Parse(text.substr(0, colon), place.partition)) return std::nullopt;
  if (!Parse(text.substr(colon + 1), place.offset)) return std::nullopt;
  return place;
}

std::string Naming::TopicOf(std::string_view stream) const {
  RequireStreamName(stream);
  std::string topic = topic_prefix_ + std::string(stream);
  if (IsTopicName(topic)) return topic;
  throw Error(
      SUMMA_E_USAGE, "SH-0605", "\"" + topic + "\" is not a valid name of a topic",
      "Kafka takes 1 to 249 characters, but for . and ..; shorten the name or topic_prefix");
}

std::string Naming::GroupOf(std::string_view group, std::string_view topic) const {
  RequireGroupName("group", group);
  return group_prefix_ + std::string(group) + ":" + std::string(topic);
}

std::optional<std::string> Naming::StreamOf(std::string_view topic) const {
  if (!topic.starts_with(topic_prefix_)) return std::nullopt;
  topic.remove_prefix(topic_prefix_.size());
  // Kafka's own: __consumer_offsets, __transaction_state, ...
  if (topic.starts_with("__") || !IsStreamName(topic)) return std::nullopt;
  return std::string(topic);
}

std::optional<Naming::GroupName> Naming::ReadGroup(std::string_view id) const {
  if (!id.starts_with(group_prefix_)) return std::nullopt;
  id.remove_prefix(group_prefix_.size());
  const std::size_t colon = id.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view topic = id.substr(colon + 1);
  if (!StreamOf(topic)) return std::nullopt;
  return GroupName{std::string(id.substr(0, colon)), std::string(topic)};
}

}  // namespace summa::bus_kafka
