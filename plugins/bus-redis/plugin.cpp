// Wiring of the plugin bus-redis: configuration, metrics, log, verbs and workers around RedisBus.
#include <summa/plugin.hpp>

#include <memory>

#include "plugins/bus-redis/admin_commands.hpp"
#include "plugins/bus-redis/examine.hpp"
#include "plugins/bus-redis/housekeeping.hpp"
#include "plugins/bus-redis/reachability.hpp"
#include "plugins/bus-redis/redis_bus.hpp"
#include "plugins/bus-redis/tail_command.hpp"

namespace summa::bus_redis {
namespace {

// Tells the messages of this bus from those of another one; the same label in each.
constexpr std::pair<std::string_view, std::string_view> kBus = {"bus", "bus-redis"};

// CLIENT SETNAME takes no spaces and nothing unprintable.
std::string ClientName(std::string_view instance) {
  std::string name = "summa-host:" + std::string(instance);
  for (char& c : name) {
    if (c <= ' ' || c > '~') c = '-';
  }
  return name;
}

// A reader renews what it holds between two reads: were that later than claim_after, others would
// take its messages while it works on them.
void RequireClaimAfter(const RedisBusOptions& options) {
  if (options.claim_after > options.block_time + options.command_timeout) return;
  throw Error(SUMMA_E_CONFIG, "SH-0612",
              "plugins.bus-redis.claim_after is not above block_time + command_timeout",
              "raise claim_after, or lower command_timeout");
}

// Turns what happens on the bus into metrics and log lines.
class Reporter final : public BusEvents {
 public:
  explicit Reporter(Host host) : host_(host) {}

  // [main] After the host offers its services.
  void Begin() {
    static constexpr const char* kHelp = "Messages given to publish, by outcome.";
    const auto outcome = [&](std::string_view name) {
      return host_.Counter("summa_bus_messages_total", kHelp, {kBus, {"outcome", name}});
    };
    confirmed_ = outcome("confirmed");
    refused_ = outcome("refused");
    stream_fault_ = outcome("stream_fault");
    unsent_ = outcome("unsent");
    bytes_ = host_.Counter("summa_bus_published_bytes_total",
                           "Bytes of the payloads that the bus confirmed.", {kBus});
    duration_ =
        host_.Histogram("summa_bus_publish_duration_seconds", "Time to publish one batch.", {kBus});
    connected_ = host_.Gauge("summa_bus_connected",
                             "1 while the connection for publishing is up, else 0.", {kBus});
  }

  void ConnectionChanged(std::string_view purpose, const std::string& address,
                         ConnectionEvent event, const std::string& reason) override {
    const bool up = event == ConnectionEvent::kConnected || event == ConnectionEvent::kRetired;
    if (event != ConnectionEvent::kRetired) {
      host_
          .Counter(
              up ? "summa_bus_connections_total" : "summa_bus_connection_failures_total",
              up ? "Connections made, by purpose." : "Connections lost or not made, by purpose.",
              {kBus, {"purpose", purpose}})
          .Add();
    }
    // One line when it goes down and one when it is up again, not one per attempt.
    const bool changed = up ? reachability_.Up(purpose, address)
                            : reachability_.Down(purpose, address, reason, host_.BootNow());
    if (purpose == "publish") connected_.Set(up && reachability_.AllUp(purpose) ? 1 : 0);
    if (!changed) return;
    if (event == ConnectionEvent::kRetired) {
      host_.Info("this Redis is not needed any more",
                 {{"purpose", std::string(purpose)}, {"address", address}});
    } else if (up) {
      host_.Info("Redis is reachable again", {{"purpose", std::string(purpose)}});
    } else {
      host_.Warn("SH-0601", "Redis is not reachable",
                 {{"purpose", std::string(purpose)}, {"error", reason}});
    }
  }

  void ReaderChanged(const GroupReaderOptions& reader, std::string_view what,
                     const std::string& error) override {
    reachability_.Reader(
        "group " + reader.group + " of stream " + reader.stream + " (" + std::string(what) + ")",
        error, host_.BootNow());
  }

  void Published(const PublishSummary& summary, std::chrono::duration<double> took) override {
    confirmed_.Add(static_cast<double>(summary.confirmed));
    refused_.Add(static_cast<double>(summary.refused));
    stream_fault_.Add(static_cast<double>(summary.stream_fault));
    unsent_.Add(static_cast<double>(summary.unsent));
    bytes_.Add(static_cast<double>(summary.confirmed_bytes));
    duration_.Observe(took.count());
  }

  void DeadLettered(const GroupReaderOptions& reader) override {
    host_
        .Counter("summa_bus_dead_letters_total", "Messages that consumers gave up.",
                 {{"topic", reader.stream}, {"group", reader.group}})
        .Add();
  }

  void Polled(const GroupReaderOptions& reader, const PollSummary& summary) override {
    const auto count = [&](std::string_view name, std::string_view help, std::size_t messages) {
      if (messages == 0) return;
      host_.Counter(name, help, {kBus, {"topic", reader.stream}, {"group", reader.group}})
          .Add(static_cast<double>(messages));
    };
    count("summa_bus_consumed_messages_total", "Messages given to consumers.", summary.delivered);
    count("summa_bus_redeliveries_total", "Messages given to the same consumer once more.",
          summary.redelivered);
    count("summa_bus_lost_messages_total", "Messages deleted before they were handled.",
          summary.lost_ids.size());
    if (summary.lost_ids.empty()) return;
    host_.Log(SUMMA_LOG_ERROR, "SH-0608", "messages were deleted before they were handled",
              {{"stream", reader.stream},
               {"group", reader.group},
               {"messages", std::to_string(summary.lost_ids.size())},
               {"first", summary.lost_ids.front()},
               {"last", summary.lost_ids.back()}});
  }

  // Any thread.
  std::vector<Finding> Failing() const { return reachability_.Failing(host_.BootNow()); }

 private:
  Host host_;
  Metric confirmed_, refused_, stream_fault_, unsent_, bytes_, duration_, connected_;
  Reachability reachability_;
};

class BusRedisPlugin final : public Plugin {
 public:
  explicit BusRedisPlugin(Host host)
      : Plugin(host), reporter_(host), trimmer_(host), inbox_cleaner_(host) {}

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
    bus_ = std::make_unique<RedisBus>(std::move(options), &reporter_);
    stream_retention_ = config.Duration("stream_retention");
    trimmer_.Configure(bus_.get(), stream_retention_);
    inbox_cleaner_.Configure(config.Duration("inbox_retention"));
  }
  // A new login is for connections to come. Another server is a restart: messages that were given
  // out would be acknowledged elsewhere.
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
  std::vector<WorkerBinding> Workers() override {
    return {{"stream-trim", &trimmer_}, {"inbox-cleanup", &inbox_cleaner_}};
  }
  std::vector<CommandBinding> Commands() override {
    const auto admin = [this](auto run) {
      return [this, run](const CommandCall& call) {
        StreamAdmin streams = bus_->MakeAdmin();
        return run(streams, call);
      };
    };
    return {{"bus tail",
             [this](const CommandCall& call) {
               StreamReader reader = bus_->MakeReader();
               return TailStream(reader, call);
             }},
            {"bus streams", admin(ListStreams)},
            {"bus groups", admin(ListGroups)},
            {"bus trim", admin([this](StreamAdmin& streams, const CommandCall& call) {
               return TrimStreams(streams, call, stream_retention_);
             })},
            {"bus group create", admin(bus_redis::CreateGroup)},
            {"bus group delete", admin(bus_redis::DeleteGroup)},
            {"bus group reset", admin(bus_redis::ResetGroup)}};
  }
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
  std::string Status() override {
    return JsonWriter().BeginObject().Member("address", address_).EndObject().Take();
  }

 private:
  static Login SentinelLoginOf(const Config& config) {
    return {config.String("sentinel_user"), config.String("sentinel_password")};
  }

  Reporter reporter_;
  RedisUrl url_;         // [main]
  std::string address_;  // for people
  int wait_replicas_ = 0;
  std::optional<TlsOptions> tls_;
  std::unique_ptr<RedisBus> bus_;
  std::chrono::microseconds stream_retention_{};
  StreamTrimmer trimmer_;
  InboxCleaner inbox_cleaner_;
};

}  // namespace
}  // namespace summa::bus_redis

SUMMA_PLUGIN(summa::bus_redis::BusRedisPlugin)
