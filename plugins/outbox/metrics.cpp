#include "metrics.hpp"

namespace summa::outbox {

Metrics::Metrics(Host host, std::string sink) : host_(host), sink_(std::move(sink)) {
  const Host::Labels labels = {{"sink", sink_}};
  pending = host_.Gauge("summa_outbox_pending_messages", "Rows waiting, as last counted.", labels);
  oldest_pending_age_seconds =
      host_.Gauge("summa_outbox_oldest_pending_age_seconds",
                  "Age of the oldest waiting row, as last counted.", labels);
  blocked_keys = host_.Gauge("summa_outbox_blocked_keys",
                             "Keys that wait for a dead letter to be redriven.", labels);
  publish_seconds = host_.Histogram("summa_outbox_publish_duration_seconds",
                                    "Time to publish one batch.", labels);
  end_to_end_seconds_ =
      host_.Histogram("summa_outbox_end_to_end_duration_seconds",
                      "From the row's created_at to the confirmation of the bus.", labels);
  empty_polls =
      host_.Counter("summa_outbox_empty_polls_total", "Polls that found nothing.", labels);
}

void Metrics::Delivered(const std::string& topic, double end_to_end_seconds) {
  OfTopic(topic).delivered.Add();
  end_to_end_seconds_.Observe(end_to_end_seconds);
}

Metrics::Outcomes& Metrics::OfTopic(const std::string& topic) {
  if (const auto known = topics_.find(topic); known != topics_.end()) return known->second;
  const std::string name = topics_.size() < kMostTopics ? topic : "other";
  const auto [entry, added] = topics_.try_emplace(name);
  if (!added) return entry->second;
  const auto outcome = [&](std::string_view word) {
    return host_.Counter("summa_outbox_messages_total", "Messages by outcome.",
                         {{"sink", sink_}, {"topic", name}, {"outcome", word}});
  };
  entry->second = {outcome("delivered"), outcome("retried"), outcome("dead")};
  return entry->second;
}

}  // namespace summa::outbox
