// Wiring of the plugin bus-redis: configuration, metrics, log and the worker around RedisBus.
#include <memory>
#include <summa/bus_plugin.hpp>
#include <summa/plugin.hpp>

#include "plugins/bus-redis/examine.hpp"
#include "plugins/bus-redis/housekeeping.hpp"
#include "plugins/bus-redis/redis_bus.hpp"

namespace summa::bus_redis {
namespace {

// CLIENT SETNAME takes no spaces and nothing unprintable.
std::string ClientName(std::string_view instance) {
  std::string name = "summa-host:" + std::string(instance);
  for (char& c : name) {
    if (c <= ' ' || c > '~') c = '-';
  }
  return name;
}

// A reader renews what it holds between two reads: if that were later than claim_after, others
// would take its messages while it works on them.
void RequireClaimAfter(const RedisBusOptions& options) {
  if (options.claim_after > options.block_time + options.command_timeout) return;
  throw Error(SUMMA_E_CONFIG, "SH-0612",
              "plugins.bus-redis.claim_after is not above block_time + command_timeout",
              "raise claim_after, or lower command_timeout");
}

// What happens on the bus, for its metrics and log lines.
class Events final : public BusEvents {
 public:
  explicit Events(BusReporter& reporter) : reporter_(reporter) {}

  void ConnectionChanged(std::string_view purpose, const std::string& address,
                         ConnectionEvent event, const std::string& reason) override {
    switch (event) {
      case ConnectionEvent::kConnected:
        return reporter_.Up(purpose, address);
      case ConnectionEvent::kRetired:
        return reporter_.Retired(purpose, address);
      case ConnectionEvent::kLost:
      case ConnectionEvent::kConnectFailed:
        return reporter_.Down(purpose, address, reason);
    }
  }
  void ReaderChanged(const GroupReaderOptions& reader, std::string_view what,
                     const std::string& error) override {
    reporter_.Reader(reader.stream, reader.group, what, error);
  }
  void Published(std::span<const summa_bus_message> messages,
                 std::span<const summa_bus_receipt> receipts,
                 std::chrono::duration<double> took) override {
    reporter_.Published(messages, receipts, took);
  }
  void DeadLettered(const GroupReaderOptions& reader) override {
    reporter_.DeadLettered(reader.stream, reader.group);
  }
  void Polled(const GroupReaderOptions& reader, const PollSummary& summary) override {
    BusPoll poll{summary.delivered, summary.redelivered, summary.lost_ids.size(), {}, {}};
    if (!summary.lost_ids.empty()) {
      poll.first_lost = summary.lost_ids.front();
      poll.last_lost = summary.lost_ids.back();
    }
    reporter_.Polled(reader.stream, reader.group, poll);
  }

 private:
  BusReporter& reporter_;
};

class BusRedisPlugin final : public Plugin {
 public:
  explicit BusRedisPlugin(Host host)
      : Plugin(host),
        reporter_(host,
                  {kBusId, "Redis", "SH-0601", "start Redis or correct plugins.bus-redis.url"}),
        events_(reporter_),
        trimmer_(host, reporter_) {}

  void Configure(const Config& config) override {
    RedisBusOptions options;
    options.url = ParseRedisUrl(config.String("url"));
    options.tls = {config.String("tls_ca_file"), config.String("tls_certificate_file"),
                   config.String("tls_key_file")};
    options.client_name = ClientName(host().instance());
    options.connect_timeout = config.Duration("connect_timeout");
    options.command_timeout = config.Duration("command_timeout");
    options.block_time = config.Duration("block_time");
    options.writer.key_prefix = config.String("key_prefix");
    const std::string names = config.String("key_names");
    const bool cluster = options.url.kind == ServerKind::kCluster;
    options.writer.tagged_keys = names == "tagged" || (names == "auto" && cluster);
    options.sentinel_login = SentinelLoginOf(config);
    options.claim_after = config.Duration("claim_after");
    RequireClaimAfter(options);
    options.writer.max_message_bytes = config.Size("max_message_bytes");
    options.writer.max_pipeline_bytes = config.Size("max_pipeline_bytes");
    wait_replicas_ = static_cast<int>(config.Integer("wait_replicas"));
    options.writer.wait_replicas = wait_replicas_;
    options.writer.wait_timeout =
        std::chrono::ceil<std::chrono::milliseconds>(config.Duration("wait_timeout"));
    url_ = options.url;
    address_ = url_.ForPeople();
    if (options.url.tls) tls_ = options.tls;
    options.retention = config.Duration("stream_retention");
    const std::chrono::microseconds retention = options.retention;
    bus_ = std::make_unique<RedisBus>(std::move(options), &events_);
    trimmer_.Configure(bus_.get(), retention);
  }
  // A new login is for connections to come. Another server is a restart: messages that were
  // delivered would be acknowledged on the wrong server.
  std::vector<std::string> Reload(const Config& config) override {
    const RedisUrl url = ParseRedisUrl(config.String("url"));
    const bool same = url_.SamePlace(url);
    if (same) url_ = url;
    bus_->RenewLogin(url_.login(), SentinelLoginOf(config));
    std::vector<std::string> taken = {"sentinel_user", "sentinel_password"};
    if (same) taken.emplace_back("url");
    return taken;
  }
  // Does not connect: a host whose Redis is down starts, and says so in /readyz.
  void Start() override {
    if (tls_) CheckTlsFiles(*tls_);
    reporter_.Begin();
  }
  void Stop() override {
    if (bus_) bus_->Stop();
  }
  Bus* ProvidedBus() override { return bus_.get(); }
  std::vector<WorkerBinding> Workers() override { return {{"stream-trim", &trimmer_}}; }
  std::vector<Finding> Failing() override {
    std::vector<Finding> findings = reporter_.Failing();
    for (Finding& warning : trimmer_.Warnings()) findings.push_back(std::move(warning));
    return findings;
  }
  void Examine(const Examination& examination) override {
    Servers servers = bus_->MakeServers("doctor");
    ExamineServers(servers, bus_->names(), wait_replicas_,
                   [&](const Finding& finding) { examination.Report(finding); });
  }
  std::string StatusJson() override {
    return JsonWriter().BeginObject().Member("address", address_).EndObject().Take();
  }

 private:
  static Login SentinelLoginOf(const Config& config) {
    return {config.String("sentinel_user"), config.String("sentinel_password")};
  }

  BusReporter reporter_;
  Events events_;
  RedisUrl url_;         // [main]
  std::string address_;  // for people
  int wait_replicas_ = 0;
  std::optional<TlsOptions> tls_;
  std::unique_ptr<RedisBus> bus_;
  StreamTrimmer trimmer_;
};

}  // namespace
}  // namespace summa::bus_redis

SUMMA_PLUGIN(summa::bus_redis::BusRedisPlugin)
