#include "plugins/bus-kafka/examine.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <map>
#include <string>
#include <summa/dead_letter_stream.hpp>

#include "plugins/bus-kafka/rights.hpp"

namespace summa::bus_kafka {
namespace {

using Report = std::function<void(const Finding&)>;
using ConfigMap = std::map<std::string, std::string>;

constexpr int kPings = 5;
constexpr double kSlowMilliseconds = 50;         // a batch waits for at least one way and back
constexpr std::int64_t kOverheadBytes = 16'384;  // of a request, besides its largest message
constexpr std::chrono::seconds kClockDifference{5};

std::int64_t Number(const ConfigMap& config, const char* name, std::int64_t otherwise) {
  const auto found = config.find(name);
  if (found == config.end()) return otherwise;
  std::int64_t value = otherwise;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

std::string Text(const ConfigMap& config, const char* name) {
  const auto found = config.find(name);
  return found == config.end() ? std::string() : found->second;
}

void ExamineLatency(TopicAdmin& admin, const Report& report) {
  admin.Ping();  // connects
  double worst = 0;
  for (int i = 0; i < kPings; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    admin.Ping();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    worst = std::max(worst, took.count());
  }
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2f ms, the slowest of %d", worst, kPings);
  const bool slow = worst > kSlowMilliseconds;
  report({slow ? Severity::kWarning : Severity::kOk, "latency", text.data(), "under 50 ms",
          slow ? "check the network between host and Kafka, and the load of the brokers" : ""});
}

void ExamineReplicas(const std::string& topic, const TopicShape& shape, const ConfigMap& config,
                     const Report& report) {
  const std::int64_t least = Number(config, "min.insync.replicas", 1);
  const std::string found = std::to_string(shape.replicas) + " replicas, " +
                            std::to_string(shape.in_sync) +
                            " in sync, min.insync.replicas=" + std::to_string(least);
  Finding finding{Severity::kOk, "replicas of " + topic, found, "", ""};
  if (shape.in_sync < least) {
    finding.severity = Severity::kError;
    finding.expected = "as many in sync as min.insync.replicas: with fewer, nothing is confirmed";
    finding.fix = "start the brokers that are missing";
  } else if (shape.replicas < 2 || least < 2) {
    finding.severity = Severity::kWarning;
    finding.expected =
        "3 replicas and min.insync.replicas=2: otherwise the loss of one broker may lose confirmed "
        "messages";
    finding.fix =
        "kafka-reassign-partitions, and kafka-configs --alter --add-config min.insync.replicas=2; "
        "or "
        "accept the loss and restore it from the ledger";
  }
  report(finding);
  if (Text(config, "unclean.leader.election.enable") != "true") return;
  report({Severity::kError, "unclean.leader.election.enable of " + topic, "true",
          "false: otherwise a replica without the latest messages may become leader, and they are "
          "lost",
          "kafka-configs --alter --add-config unclean.leader.election.enable=false"});
}

void ExaminePartitions(const std::string& topic, const TopicShape& shape, int wanted,
                       const Report& report) {
  if (wanted == 0 || topic.ends_with(DeadLetterStream::kSuffix)) return;
  const bool same = shape.partitions == wanted;
  report({same ? Severity::kOk : Severity::kError, "partitions of " + topic,
          std::to_string(shape.partitions),
          std::to_string(wanted) + ", plugins.bus-kafka.partitions",
          same ? ""
               : "let all groups read everything, then correct partitions: the stream accepts "
                 "nothing until then"});
}

void ExamineRetention(const std::string& topic, const ConfigMap& config,
                      std::chrono::microseconds wanted, const Report& report) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const std::int64_t kept = Number(config, "retention.ms", -1);
  const std::int64_t least = duration_cast<milliseconds>(wanted).count();
  const bool short_time = kept >= 0 && kept < least;
  const std::int64_t bytes = Number(config, "retention.bytes", -1);
  Finding finding{
      Severity::kOk, "retention of " + topic,
      "retention.ms=" + std::to_string(kept) + ", retention.bytes=" + std::to_string(bytes), "",
      ""};
  if (short_time) {
    finding.severity = Severity::kError;
    finding.expected = "retention.ms of " + std::to_string(least) + " (stream_retention) or more";
    finding.fix = "kafka-configs --alter --add-config retention.ms=" + std::to_string(least);
  } else if (bytes >= 0) {
    finding.severity = Severity::kWarning;
    finding.expected = "no limit in bytes: it removes messages however young they are";
    finding.fix = "kafka-configs --alter --delete-config retention.bytes";
  }
  report(finding);
  if (Text(config, "cleanup.policy").find("compact") == std::string::npos) return;
  report({Severity::kError, "cleanup.policy of " + topic, Text(config, "cleanup.policy"),
          "delete: compaction removes all but the latest message of each key",
          "kafka-configs --alter --add-config cleanup.policy=delete"});
}

void ExamineLimits(const std::string& topic, const ConfigMap& config, std::size_t largest,
                   const Report& report) {
  const std::int64_t limit = Number(config, "max.message.bytes", INT64_MAX);
  const std::int64_t needed = static_cast<std::int64_t>(largest) + kOverheadBytes;
  if (limit < needed) {
    report({Severity::kWarning, "max.message.bytes of " + topic, std::to_string(limit),
            std::to_string(needed) + " or more, for plugins.bus-kafka.max_message_bytes",
            "kafka-configs --alter --add-config max.message.bytes=" + std::to_string(needed)});
  }
  const std::string time = Text(config, "message.timestamp.type");
  if (time.empty() || time == "LogAppendTime") return;
  report({Severity::kWarning, "message.timestamp.type of " + topic, time,
          "LogAppendTime: with the clocks of the hosts, scans from a time may miss messages",
          "kafka-configs --alter --add-config message.timestamp.type=LogAppendTime"});
}

void ExamineTopic(KafkaBus& bus, const std::string& topic, const TopicShape& shape,
                  const ExamineOptions& options, const Report& report) {
  ExaminePartitions(topic, shape, options.topics.partitions, report);
  ConfigMap config;
  try {
    config = bus.admin().ConfigOf(RD_KAFKA_RESOURCE_TOPIC, topic);
  } catch (const Error& error) {
    if (error.status() != SUMMA_E_DENIED) throw;
    report({Severity::kWarning, "settings of " + topic, "cannot be read", "",
            "kafka-acls --add --operation DescribeConfigs --topic " + topic});
    return;
  }
  ExamineReplicas(topic, shape, config, report);
  ExamineRetention(topic, config, options.topics.retention, report);
  ExamineLimits(topic, config, options.max_message_bytes, report);
}

// Kafka does not tell its time. Messages that seem to come from the future show that it is ahead.
void ExamineClock(TopicAdmin& admin, const std::map<std::string, int>& topics,
                  const Report& report) {
  using std::chrono::milliseconds;
  const auto soon = std::chrono::duration_cast<milliseconds>(
      std::chrono::system_clock::now().time_since_epoch() + kClockDifference);
  for (const auto& [topic, partitions] : topics) {
    const std::vector<Offsets> offsets = admin.OffsetsOf(topic, partitions);
    const std::vector<std::int64_t> later = admin.OffsetsAt(topic, partitions, soon.count());
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      if (later[i] >= offsets[i].high) continue;
      report({Severity::kWarning, "clock", "topic " + topic + " has messages from the future",
              "clocks of brokers and host that differ by less than 5 s: `outbox verify` compares "
              "their times",
              "synchronise the clocks of the brokers and of this host (chrony, NTP)"});
      return;
    }
  }
  report({Severity::kOk, "clock", "no message is from the future", "", ""});
}

}  // namespace

void ExamineServers(KafkaBus& bus, const ExamineOptions& options, const Report& report) {
  TopicAdmin& admin = bus.admin();
  ExamineLatency(admin, report);
  const std::size_t brokers = admin.AllBrokers().size();
  report({Severity::kOk, "connection", std::to_string(brokers) + " brokers", "", ""});
  std::map<std::string, int> seen;  // partitions
  for (const auto& [topic, shape] : admin.AllTopics()) {
    if (!bus.names().StreamOf(topic)) continue;
    seen[topic] = shape.partitions;
    ExamineTopic(bus, topic, shape, options, report);
  }
  ExamineRights(bus, options.principal, report);
  if (!seen.empty()) return ExamineClock(admin, seen, report);
  report({Severity::kOk, "topics", "none yet", "",
          options.topics.create ? "they are created when they are first used" : "create them"});
}

}  // namespace summa::bus_kafka
