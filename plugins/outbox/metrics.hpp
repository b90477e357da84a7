// The numbers of the outbox, by sink (the plugin that is the bus) and topic. Any thread; topics are
// counted by one.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <summa/host.hpp>

namespace summa::outbox {

class Metrics {
 public:
  // After the host offers its services.
  Metrics(Host host, std::string sink);

  void Delivered(const std::string& topic, double end_to_end_seconds);
  void Retried(const std::string& topic) { OfTopic(topic).retried.Add(); }
  void Dead(const std::string& topic) { OfTopic(topic).dead.Add(); }

  Metric pending, oldest_pending_age_seconds, blocked_keys, publish_seconds, empty_polls;

 private:
  // Summa has about ten; whoever writes rows must not be able to make series without end.
  static constexpr std::size_t kMostTopics = 100;

  struct Outcomes {
    Metric delivered, retried, dead;
  };
  Outcomes& OfTopic(const std::string& topic);

  Host host_;
  const std::string sink_;
  Metric end_to_end_seconds_;
  std::map<std::string, Outcomes, std::less<>> topics_;
};

}  // namespace summa::outbox
