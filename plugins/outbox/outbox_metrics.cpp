#include "outbox_metrics.hpp"

namespace summa::outbox {
namespace {

constexpr const char* kOtherTopics = "other";

}  // namespace

OutboxMetrics::OutboxMetrics(Host host, std::string sink) : host_(host), sink_(std::move(sink)) {
  blocked_keys = host_.Gauge("summa_outbox_blocked_keys",
                             "Keys that wait for a dead letter to be redriven.", {{"sink", sink_}});
  refused_rows = host_.Gauge("summa_outbox_refused_rows",
                             "Delivered rows that the ledger refuses to mark.", {{"sink", sink_}});
  publish_seconds = host_.Histogram("summa_outbox_publish_duration_seconds",
                                    "Time to publish one batch.", {{"sink", sink_}});
  end_to_end_seconds = host_.Histogram(
      "summa_outbox_end_to_end_duration_seconds",
      "Time from the row's created_at to the confirmation of the bus, by the database's clock.",
      {{"sink", sink_}});
  empty_polls = host_.Counter("summa_outbox_empty_polls_total", "Polls that found nothing.",
                              {{"sink", sink_}});
}

Metric& OutboxMetrics::Outcome(const std::string& topic, const std::string& outcome) {
  const auto found = outcomes_.find({topic, outcome});
  if (found != outcomes_.end()) return found->second;
  const std::string name = outcomes_.size() < kTopicLimit ? topic : kOtherTopics;
  return outcomes_
      .try_emplace({name, outcome},
                   host_.Counter("summa_outbox_messages_total",
                                 "Messages by sink, topic and outcome: delivered, retried, dead.",
                                 {{"sink", sink_}, {"topic", name}, {"outcome", outcome}}))
      .first->second;
}

void OutboxMetrics::Pending(const std::vector<TopicCount>& topics) {
  Set(pending_, topics, "summa_outbox_pending_messages",
      "Rows that wait to be delivered, by topic, as last counted (at most every 5 s).",
      "summa_outbox_oldest_pending_age_seconds",
      "Age of the oldest waiting row, by topic, as last counted.");
}

void OutboxMetrics::DeadLetters(const std::vector<TopicCount>& topics) {
  Set(dead_letters_, topics, "summa_dead_letters",
      "Dead letters that are pending, by topic, as last counted.",
      "summa_oldest_dead_letter_age_seconds", "Age of the oldest pending dead letter, by topic.");
}

void OutboxMetrics::Set(GaugesByTopic& gauges, const std::vector<TopicCount>& topics,
                        std::string_view messages, std::string_view messages_help,
                        std::string_view age, std::string_view age_help) {
  std::map<std::string, TopicCount> values;
  for (const TopicCount& topic : topics) {
    const bool known = gauges.contains(topic.topic) || gauges.size() + values.size() < kTopicLimit;
    TopicCount& value = values[known ? topic.topic : kOtherTopics];
    value.messages += topic.messages;
    value.oldest_age_seconds = std::max(value.oldest_age_seconds, topic.oldest_age_seconds);
  }
  for (const auto& [topic, value] : values) {
    if (gauges.contains(topic)) continue;
    gauges[topic] = {host_.Gauge(messages, messages_help, {{"sink", sink_}, {"topic", topic}}),
                     host_.Gauge(age, age_help, {{"sink", sink_}, {"topic", topic}})};
  }
  for (auto& [topic, gauge] : gauges) {  // a topic that has none any more goes to 0
    const auto value = values.find(topic);
    gauge.messages.Set(value == values.end() ? 0 : static_cast<double>(value->second.messages));
    gauge.oldest_age.Set(value == values.end() ? 0 : value->second.oldest_age_seconds);
  }
}

}  // namespace summa::outbox
