// Wiring of the plugin bus-kafka: configuration, metrics and log around KafkaBus.
#include <map>
#include <memory>
#include <summa/bus_plugin.hpp>
#include <summa/json.hpp>
#include <summa/plugin.hpp>

#include "plugins/bus-kafka/examine.hpp"
#include "plugins/bus-kafka/kafka_bus.hpp"

namespace summa::bus_kafka {
namespace {

std::chrono::milliseconds Milliseconds(const Config& config, std::string_view key) {
  return std::chrono::ceil<std::chrono::milliseconds>(config.Duration(key));
}

// Nothing is set for what is empty: librdkafka has its own defaults.
Settings SecurityOf(const Config& config) {
  Settings settings;
  const auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) settings.emplace_back(name, value);
  };
  const std::string security = config.String("security");
  const bool tls = security == "tls" || security == "sasl_tls";
  const bool login = security.starts_with("sasl");
  set("security.protocol", std::string(login ? "sasl_" : "") + (tls ? "ssl" : "plaintext"));
  if (tls) {
    set("ssl.ca.location", config.String("tls_ca_file"));
    set("ssl.certificate.location", config.String("tls_certificate_file"));
    set("ssl.key.location", config.String("tls_key_file"));
  }
  if (login) set("sasl.mechanisms", config.String("sasl_mechanism"));
  return settings;
}

// Empty words: there is none that the plugin knows of.
Login::Words LoginOf(const Config& config) {
  if (!config.String("security").starts_with("sasl")) return {};
  if (config.String("sasl_mechanism") == "OAUTHBEARER") return {};
  Login::Words words = {config.String("user"), config.String("password")};
  if (!words.first.empty() && !words.second.empty()) return words;
  throw Error(SUMMA_E_CONFIG, "SH-0646",
              "plugins.bus-kafka.security asks for a login, and user or password is empty",
              "set both, or set security to plaintext or tls");
}

// As ACLs name this host. A certificate or a token has a name that only the brokers know.
std::string PrincipalOf(const Config& config, const Login::Words& words) {
  if (!words.first.empty()) return "User:" + words.first;
  return config.String("security") == "plaintext" ? "User:ANONYMOUS" : "";
}

// What happens on the bus, for its metrics and log lines.
class Events final : public BusEvents {
 public:
  Events(Host host, BusReporter& reporter) : host_(host), reporter_(reporter) {}
  void SetAddress(std::string address) { address_ = std::move(address); }

  void Used(std::string_view purpose, const std::string& error) override {
    Connection(purpose, error);
  }
  void Published(std::span<const summa_bus_message> messages,
                 std::span<const summa_bus_receipt> receipts,
                 std::chrono::duration<double> took) override {
    reporter_.Published(messages, receipts, took);
  }
  void Reached(const ReaderOptions& reader) override {
    Connection("subscribe", "");
    reporter_.Reader(reader.stream, reader.group, "reading", "");
  }
  void NotReached(const ReaderOptions& reader, const std::string& reason) override {
    Connection("subscribe", reason);
    reporter_.Reader(reader.stream, reader.group, "reading", reason);
  }
  void Lost(const ReaderOptions& reader, std::size_t messages, const std::string& first,
            const std::string& last) override {
    reporter_.Polled(reader.stream, reader.group, {0, 0, messages, first, last});
  }
  void BehindEnd(const ReaderOptions& reader, const std::string& place, std::int64_t end,
                 std::int64_t low) override {
    host_.Log(SUMMA_LOG_ERROR, "SH-0654",
              "the place of a group is behind the end of its partition; it begins at the oldest "
              "message again",
              {{"stream", reader.stream},
               {"group", reader.group},
               {"place", place},
               {"end", std::to_string(end)},
               {"oldest", std::to_string(low)}});
  }
  void Polled(const ReaderOptions& reader, std::size_t delivered) override {
    reporter_.Polled(reader.stream, reader.group, {delivered, 0, 0, {}, {}});
  }
  void Lag(const ReaderOptions& reader, std::int64_t messages) override {
    summa_bus_group group{};
    group.stream = ToAbi(reader.stream);
    group.name = ToAbi(reader.group);
    group.pending = -1;
    group.lag = messages;
    reporter_.Lag(group);
  }
  void Rebalanced(const ReaderOptions& reader) override {
    host_
        .Counter("summa_bus_rebalances_total",
                 "Changes of the partitions of a reader, by topic and group.",
                 {{"bus", "bus-kafka"}, {"topic", reader.stream}, {"group", reader.group}})
        .Add();
  }
  void Counted(std::string_view purpose, const ClientStatistics& now) override {
    const Host::Labels of = {{"purpose", purpose}};
    host_.Gauge("summa_bus_kafka_queued_messages", kQueuedMessages, of)
        .Set(static_cast<double>(now.queued_messages));
    host_.Gauge("summa_bus_kafka_queued_bytes", kQueuedBytes, of)
        .Set(static_cast<double>(now.queued_bytes));
    host_.Gauge("summa_bus_kafka_brokers_connected", kBrokersConnected, of)
        .Set(static_cast<double>(now.brokers_connected));
    host_.Gauge("summa_bus_kafka_round_trip_seconds", kRoundTrip, of).Set(now.round_trip_seconds);
    CountFailures(purpose, "error", now.errors);
    CountFailures(purpose, "timeout", now.timeouts);
    CountFailures(purpose, "retry", now.retries);
  }

 private:
  // As plugin.yaml has them.
  static constexpr const char* kQueuedMessages =
      "Messages within librdkafka: not confirmed yet, or not given to a reader yet.";
  static constexpr const char* kQueuedBytes = "Bytes of summa_bus_kafka_queued_messages.";
  static constexpr const char* kBrokersConnected = "Brokers that the clients are connected to.";
  static constexpr const char* kRoundTrip =
      "99th percentile of the answers of the slowest broker, over the latest 15 s.";
  static constexpr const char* kFailures =
      "Requests to brokers that failed, were not answered in time, or were repeated, by kind.";

  void CountFailures(std::string_view purpose, std::string_view kind, std::int64_t count) {
    host_
        .Counter("summa_bus_kafka_request_failures_total", kFailures,
                 {{"purpose", purpose}, {"kind", kind}})
        .Add(static_cast<double>(count));
  }
  // librdkafka keeps its connections to itself: each change is told once, and not each use.
  void Connection(std::string_view purpose, const std::string& error) {
    const bool up = error.empty();
    {
      const MutexLock lock(mutex_);
      const auto [known, fresh] = up_.try_emplace(std::string(purpose), up);
      if (!fresh && up && known->second) return;
      known->second = up;
    }
    if (up) {
      reporter_.Up(purpose, address_);
    } else {
      reporter_.Down(purpose, address_, error);
    }
  }

  const Host host_;
  BusReporter& reporter_;
  std::string address_;
  Mutex mutex_;
  std::map<std::string, bool> up_ SUMMA_GUARDED_BY(mutex_);  // by purpose
};

class BusKafkaPlugin final : public Plugin {
 public:
  explicit BusKafkaPlugin(Host host)
      : Plugin(host),
        reporter_(host, {"bus-kafka", "Kafka", "SH-0640",
                         "start Kafka or correct plugins.bus-kafka.brokers"}),
        events_(host, reporter_) {}

  void Configure(const Config& config) override {
    KafkaBusOptions options;
    options.client.brokers = config.String("brokers");
    options.client.client_id = "summa-host:" + std::string(host().instance());
    options.client.security = SecurityOf(config);
    const Login::Words words = LoginOf(config);
    options.client.login = std::make_shared<Login>(words.first, words.second);
    for (const std::string& key : config.Keys("options")) {
      options.client.options.emplace_back(key, OptionOf(config, key));
    }
    options.client.request_timeout = Milliseconds(config, "request_timeout");
    options.topics.create = config.Boolean("create_topics");
    options.topics.partitions = static_cast<int>(config.Integer("partitions"));
    const auto replication = static_cast<int>(config.Integer("replication"));
    options.topics.replication = replication == 0 ? -1 : replication;
    options.topics.retention = config.Duration("stream_retention");
    options.topic_prefix = config.String("topic_prefix");
    options.group_prefix = config.String("group_prefix");
    options.writer.max_message_bytes = config.Size("max_message_bytes");
    options.writer.max_buffer_bytes = config.Size("max_buffer_bytes");
    options.writer.publish_timeout = Milliseconds(config, "publish_timeout");
    options.writer.compression = config.String("compression");
    options.static_members = config.Boolean("static_members");
    options.max_prefetch_bytes = config.Size("max_prefetch_bytes");
    options.session_timeout = Milliseconds(config, "session_timeout");
    options.commit_interval = Milliseconds(config, "commit_interval");
    address_ = options.client.brokers;
    events_.SetAddress(address_);
    examination_ = {options.topics, options.writer.max_message_bytes, PrincipalOf(config, words)};
    bus_ = std::make_unique<KafkaBus>(std::move(options), &events_);
  }
  // A new login is for connections to come; those that exist keep theirs.
  std::vector<std::string> Reload(const Config& config) override {
    const Login::Words words = LoginOf(config);
    if (words.first.empty()) return {};
    bus_->RenewLogin(words.first, words.second);
    return {"user", "password"};
  }
  // Does not connect: a host whose Kafka is down starts, and says so in /readyz.
  void Start() override { reporter_.Begin(); }
  void Stop() override {
    if (bus_) bus_->Stop();
  }
  Bus* ProvidedBus() override { return bus_.get(); }
  std::vector<Finding> Failing() override { return reporter_.Failing(); }
  void Examine(const Examination& examination) override {
    ExamineServers(*bus_, examination_,
                   [&](const Finding& finding) { examination.Report(finding); });
  }
  std::string StatusJson() override {
    return JsonWriter().BeginObject().Member("address", address_).EndObject().Take();
  }

 private:
  // Names of librdkafka have dots, as paths of a configuration have.
  static std::string OptionOf(const Config& config, const std::string& key) {
    return config.String("options." + key);
  }

  BusReporter reporter_;
  Events events_;
  std::string address_;  // for people
  ExamineOptions examination_;
  std::unique_ptr<KafkaBus> bus_;
};

}  // namespace
}  // namespace summa::bus_kafka

SUMMA_PLUGIN(summa::bus_kafka::BusKafkaPlugin)
