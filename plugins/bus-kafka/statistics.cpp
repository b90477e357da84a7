#include "plugins/bus-kafka/statistics.hpp"

#include <simdjson.h>

#include <algorithm>
#include <utility>

namespace summa::bus_kafka {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

std::int64_t Number(const object& of, const char* name) {
  std::int64_t value = 0;
  return of[name].get_int64().get(value) == simdjson::SUCCESS ? value : 0;
}

void AddBroker(const object& broker, ClientStatistics& statistics) {
  std::string_view state;
  if (broker["state"].get_string().get(state) == simdjson::SUCCESS && state == "UP") {
    ++statistics.brokers_connected;
  }
  statistics.errors += Number(broker, "txerrs") + Number(broker, "rxerrs");
  statistics.timeouts += Number(broker, "req_timeouts");
  statistics.retries += Number(broker, "txretries");
  object round_trip;
  if (broker["rtt"].get_object().get(round_trip) != simdjson::SUCCESS) return;
  const double seconds = static_cast<double>(Number(round_trip, "p99")) / 1e6;
  statistics.round_trip_seconds = std::max(statistics.round_trip_seconds, seconds);
}

// Of a consumer: what the program was not given yet is in one queue, which each partition names.
void AddTopic(const object& topic, ClientStatistics& statistics) {
  object partitions;
  if (topic["partitions"].get_object().get(partitions) != simdjson::SUCCESS) return;
  for (const auto& [name, value] : partitions) {
    object partition;
    if (value.get_object().get(partition) != simdjson::SUCCESS) continue;
    statistics.queued_messages =
        std::max(statistics.queued_messages, Number(partition, "fetchq_cnt"));
    statistics.queued_bytes = std::max(statistics.queued_bytes, Number(partition, "fetchq_size"));
  }
}

template <typename Function>
void ForEachMember(const object& of, const char* name, Function&& function) {
  object members;
  if (of[name].get_object().get(members) != simdjson::SUCCESS) return;
  for (const auto& [key, value] : members) {
    object member;
    if (value.get_object().get(member) == simdjson::SUCCESS) function(member);
  }
}

}  // namespace

std::optional<ClientStatistics> ReadStatistics(std::string_view json) {
  simdjson::dom::parser parser;
  object all;
  if (parser.parse(json.data(), json.size()).get_object().get(all) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  ClientStatistics statistics;
  // Of a producer.
  statistics.queued_messages = Number(all, "msg_cnt");
  statistics.queued_bytes = Number(all, "msg_size");
  ForEachMember(all, "brokers", [&](const object& broker) { AddBroker(broker, statistics); });
  ForEachMember(all, "topics", [&](const object& topic) { AddTopic(topic, statistics); });
  return statistics;
}

ClientStatistics StatisticsBook::Now(std::string_view purpose) const {
  ClientStatistics now;
  for (const auto& [client, known] : clients_) {
    if (known.purpose != purpose) continue;
    now.queued_messages += known.latest.queued_messages;
    now.queued_bytes += known.latest.queued_bytes;
    now.brokers_connected += known.latest.brokers_connected;
    now.round_trip_seconds = std::max(now.round_trip_seconds, known.latest.round_trip_seconds);
  }
  return now;
}

void StatisticsBook::Update(const void* client, std::string_view purpose, std::string_view json) {
  const std::optional<ClientStatistics> latest = ReadStatistics(json);
  if (!latest) return;
  const MutexLock lock(mutex_);
  Client& known = clients_[client];
  known.purpose = purpose;
  const ClientStatistics before = std::exchange(known.latest, *latest);
  ClientStatistics told = Now(purpose);
  told.errors = std::max<std::int64_t>(latest->errors - before.errors, 0);
  told.timeouts = std::max<std::int64_t>(latest->timeouts - before.timeouts, 0);
  told.retries = std::max<std::int64_t>(latest->retries - before.retries, 0);
  tell_(purpose, told);
}

void StatisticsBook::Forget(const void* client) {
  const MutexLock lock(mutex_);
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  const std::string purpose = found->second.purpose;
  clients_.erase(found);
  tell_(purpose, Now(purpose));
}

}  // namespace summa::bus_kafka
