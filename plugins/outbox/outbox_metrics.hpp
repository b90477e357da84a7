// The metrics of the deliveries to one sink.
#pragma once

#include <map>
#include <string>
#include <summa/host.hpp>
#include <vector>

#include "table.hpp"

namespace summa::outbox {

// One thread.
class OutboxMetrics {
 public:
  OutboxMetrics(Host host, std::string sink);

  void Delivered(const std::string& topic, double count) { Outcome(topic, "delivered").Add(count); }
  void Retried(const std::string& topic) { Outcome(topic, "retried").Add(); }
  void Dead(const std::string& topic) { Outcome(topic, "dead").Add(); }
  void Pending(const std::vector<TopicCount>& topics);
  void DeadLetters(const std::vector<TopicCount>& topics);

  Metric blocked_keys, refused_rows, publish_seconds, end_to_end_seconds, empty_polls;

 private:
  // Topics come from rows that anybody may write; a series for each must not fill the memory.
  static constexpr std::size_t kTopicLimit = 100;
  struct Gauges {
    Metric messages, oldest_age;
  };
  using GaugesByTopic = std::map<std::string, Gauges>;

  Metric& Outcome(const std::string& topic, const std::string& outcome);
  void Set(GaugesByTopic& gauges, const std::vector<TopicCount>& topics, std::string_view messages,
           std::string_view messages_help, std::string_view age, std::string_view age_help);

  Host host_;
  std::string sink_;
  std::map<std::pair<std::string, std::string>, Metric> outcomes_;  // by topic and outcome
  GaugesByTopic pending_, dead_letters_;
};

}  // namespace summa::outbox
