#include "plugins/bus-redis/redis_bus.hpp"

#include <atomic>
#include <functional>
#include <type_traits>
#include <utility>

namespace summa::bus_redis {
namespace {

class GroupSubscription final : public Subscription {
 public:
  GroupSubscription(ConnectionOptions connection, GroupReaderOptions options, BusEvents* events)
      : options_(options), events_(events), reader_(std::move(connection), std::move(options)) {
    reader_.Open();
  }

  std::span<const summa_bus_delivery> Poll(std::size_t max,
                                           std::chrono::microseconds wait) override {
    try {
      return Watched(reading_, "reading", [&] {
        const auto deliveries = reader_.Poll(max, wait);
        events_->Polled(options_, reader_.summary());
        return deliveries;
      });
    } catch (...) {
      // Lost entries are acknowledged by now, so nobody would be told of them again.
      if (!reader_.summary().lost_ids.empty()) events_->Polled(options_, reader_.summary());
      throw;
    }
  }
  void Ack(std::span<const summa_str> delivery_ids) override {
    Watched(settling_, "settling", [&] { reader_.Ack(delivery_ids); });
  }
  void Settle(summa_str delivery_id) override {
    Watched(settling_, "settling", [&] { reader_.Settle(FromAbi(delivery_id)); });
  }
  void Renew(std::span<const summa_str> delivery_ids, summa_bus_start start,
             std::span<std::uint8_t> held) override {
    Watched(settling_, "settling", [&] { reader_.Renew(delivery_ids, start, held); });
  }
  void Nack(std::span<const summa_str> delivery_ids, std::chrono::microseconds delay) override {
    reader_.Nack(delivery_ids, delay);
  }
  void DeadLetter(summa_str delivery_id, std::string_view reason) override {
    Watched(burying_, "giving up a message", [&] {
      if (reader_.DeadLetter(FromAbi(delivery_id), reason)) events_->DeadLettered(options_);
    });
  }

 private:
  // Says when `what` stops to work and when it works again: /readyz shows it.
  template <typename Use>
  std::invoke_result_t<Use> Watched(std::atomic<bool>& failing, std::string_view what, Use&& use) {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Use>>) {
        use();
        if (failing.exchange(false)) events_->ReaderChanged(options_, what, "");
      } else {
        auto result = use();
        if (failing.exchange(false)) events_->ReaderChanged(options_, what, "");
        return result;
      }
    } catch (const Error& error) {
      if (error.status() != SUMMA_E_CANCELLED) {
        failing = true;
        events_->ReaderChanged(options_, what, error.code() + " " + error.what());
      }
      throw;
    }
  }

  std::atomic<bool> reading_{false}, settling_{false}, burying_{false};
  const GroupReaderOptions options_;
  BusEvents* const events_;
  GroupReader reader_;
};

KeyNaming NamesOf(const RedisBusOptions& options) {
  KeyNaming names(options.writer.key_prefix, options.writer.tagged_keys);
  if (options.url.kind != ServerKind::kCluster || names.FitsCluster()) return names;
  throw Error(SUMMA_E_CONFIG, "SH-0625",
              "a Redis Cluster keeps " + names.Stream("TOPIC") + " and " +
                  names.DeadLetter("TOPIC") +
                  " on different nodes, so that no message could be given up",
              "set plugins.bus-redis.key_names to tagged (docs/operate.md says how existing "
              "streams are renamed), and key_prefix to one without braces");
}

void RequirePlace(std::string_view stream, std::string_view place) {
  RequireStreamName(stream);
  if (place == "$" || !NextEntryId(place).empty()) return;
  throw Error(SUMMA_E_USAGE, "SH-0605", "\"" + std::string(place) + "\" is not a place in a stream",
              "give 0 (everything), an entry id such as 1700000000000-0, or $ (only new messages)");
}

// Calls `use` with the named stream, or with each there is; false ends it.
void VisitStreams(StreamAdmin& admin, std::string_view stream, BusVisitor& visitor,
                  const std::function<bool(const std::string&)>& use) {
  if (!stream.empty()) {
    RequireStreamName(stream);
    use(std::string(stream));
    return;
  }
  const Catalog catalog = admin.Streams([&](std::int64_t keys) { return visitor.Progress(keys); });
  bool more = true;
  const std::vector<LeftOut> left_out = admin.ForEach(catalog, [&](const std::string& name) {
    if (more) more = use(name);
  });
  for (const LeftOut& key : left_out) {
    if (!more) return;
    more = visitor.LeftOut(
        {ToAbi(key.key), ToAbi(key.code), ToAbi(key.reason), key.refused ? 1U : 0U, 0});
  }
}

}  // namespace

RedisBus::RedisBus(RedisBusOptions options, BusEvents* events)
    : options_(std::move(options)),
      login_(std::make_shared<RenewableLogin>(options_.url.login())),
      sentinel_login_(std::make_shared<RenewableLogin>(options_.sentinel_login)),
      events_(events),
      names_(NamesOf(options_)),
      cluster_(options_.url.kind == ServerKind::kCluster
                   ? std::make_shared<ClusterMap>(LoginOptions("cluster"))
                   : nullptr),
      sentinels_(options_.url.kind == ServerKind::kSentinel
                     ? std::make_shared<Sentinels>(LoginOptions("sentinel"), sentinel_login_)
                     : nullptr),
      writer_(MakeConnectionOptions("publish"), options_.writer),
      ping_servers_(MakeConnectionOptions("ping")) {}

void RedisBus::RenewLogin(Login redis, Login sentinels) {
  login_->Renew(std::move(redis));
  sentinel_login_->Renew(std::move(sentinels));
}

ConnectionOptions RedisBus::LoginOptions(const std::string& purpose) const {
  ConnectionOptions connection;
  connection.url = options_.url;
  connection.login = login_;
  connection.tls = options_.tls;
  if (!options_.client_name.empty()) connection.client_name = options_.client_name + ":" + purpose;
  connection.connect_timeout = options_.connect_timeout;
  connection.command_timeout = options_.command_timeout;
  connection.stop_fd = stop_.descriptor();
  return connection;
}

ConnectionOptions RedisBus::MakeConnectionOptions(const std::string& purpose) const {
  ConnectionOptions connection = LoginOptions(purpose);
  connection.cluster = cluster_;
  if (sentinels_) {
    connection.locate = [sentinels = sentinels_](bool doubted) {
      return sentinels->Master(doubted);
    };
    connection.latest = [sentinels = sentinels_] { return sentinels->LatestMaster(); };
  }
  connection.on_event = [events = events_, purpose](ConnectionEvent event,
                                                    const std::string& address,
                                                    const std::string& reason) {
    events->ConnectionChanged(purpose, address, event, reason);
  };
  return connection;
}

void RedisBus::Publish(std::span<const summa_bus_message> messages,
                       std::span<summa_bus_receipt> receipts) {
  const MutexLock lock(publish_mutex_);
  const auto begin = std::chrono::steady_clock::now();
  const std::optional<Error> failure = writer_.Publish(messages, receipts);
  events_->Published(messages, receipts, std::chrono::steady_clock::now() - begin);
  if (failure) throw *failure;
}

std::unique_ptr<Subscription> RedisBus::Subscribe(std::string_view stream, std::string_view group,
                                                  std::string_view consumer, std::uint32_t flags) {
  RequireStreamName(stream);
  RequireGroupName("group", group);
  RequireGroupName("consumer", consumer);
  GroupReaderOptions reader;
  reader.names = names_;
  reader.stream = stream;
  reader.group = group;
  reader.consumer = consumer;
  reader.block_time = options_.block_time;
  reader.claim_after = options_.claim_after;
  reader.flags = flags;
  return std::make_unique<GroupSubscription>(MakeConnectionOptions("subscribe"), std::move(reader),
                                             events_);
}

void RedisBus::Ping() {
  const MutexLock lock(ping_mutex_);
  ping_servers_.ForEach([](Connection& connection) {
    const Reply reply = connection.Command({"PING"});
    if (IsError(*reply)) connection.ThrowServerError(Text(*reply));
  });
}

void RedisBus::Read(std::string_view stream, std::string_view after, std::size_t count,
                    const OnDelivery& on_message) {
  RequireStreamName(stream);
  MakeReader().Read(stream, after, count, on_message);
}

void RedisBus::Scan(const ScanOptions& options, const OnDelivery& on_message) {
  RequireStreamName(options.stream);
  MakeReader().Scan(options, on_message);
}

summa_bus_horizon RedisBus::Horizon(std::string_view stream) {
  RequireStreamName(stream);
  return MakeReader().Horizon(stream);
}

void RedisBus::Streams(std::string_view stream, BusVisitor& visitor) {
  StreamAdmin admin = MakeAdmin();
  VisitStreams(admin, stream, visitor, [&](const std::string& name) {
    // Checked before anything is reported: a stream that cannot be read must not be reported in
    // part.
    const std::int64_t messages = admin.Length(name);
    const auto groups = static_cast<std::int64_t>(admin.Groups(name).size());
    return visitor.Stream({ToAbi(name), messages, groups, admin.DeadLetters(name)});
  });
}

void RedisBus::Groups(std::string_view stream, BusVisitor& visitor) {
  StreamAdmin admin = MakeAdmin();
  VisitStreams(admin, stream, visitor, [&](const std::string& name) {
    for (const GroupState& group : admin.Groups(name)) {
      if (!visitor.Group(ViewOf(name, group))) return false;
    }
    return true;
  });
}

void RedisBus::Trim(std::string_view stream, bool dry_run, BusVisitor& visitor) {
  StreamAdmin admin = MakeAdmin();
  VisitStreams(admin, stream, visitor, [&](const std::string& name) {
    const TrimReport report = admin.Trim(name, options_.retention, dry_run);
    return visitor.Trimmed({ToAbi(name), report.removed, ToAbi(report.below_id),
                            ToAbi(report.held_by), report.held_seconds});
  });
}

void RedisBus::Seek(std::string_view stream, std::string_view group, std::string_view place) {
  RequirePlace(stream, place);
  MakeAdmin().ResetGroup(stream, group, place);
}

void RedisBus::CreateGroup(std::string_view stream, std::string_view group,
                           std::string_view place) {
  RequirePlace(stream, place);
  RequireGroupName("group", group);
  MakeAdmin().CreateGroup(stream, group, place);
}

void RedisBus::DeleteGroup(std::string_view stream, std::string_view group) {
  RequireStreamName(stream);
  MakeAdmin().DeleteGroup(stream, group);
}

void RedisBus::DeadLetters(std::string_view stream, std::string_view after,
                           const OnDeadLetter& on_letter) {
  bus_redis::DeadLetters letters = MakeDeadLetters();
  if (!stream.empty()) {
    RequireStreamName(stream);
    letters.List(stream, after, on_letter);
    return;
  }
  if (!after.empty()) RequireStreamName(stream);
  letters.ListAll(on_letter);
}

void RedisBus::Redrive(std::string_view stream, std::span<const summa_str> dead_letter_ids,
                       std::uint64_t& done) {
  RequireStreamName(stream);
  MakeDeadLetters().Redrive(stream, dead_letter_ids, done);
}

void RedisBus::Discard(std::string_view stream, std::span<const summa_str> dead_letter_ids,
                       std::uint64_t& done) {
  RequireStreamName(stream);
  MakeDeadLetters().Discard(stream, dead_letter_ids, done);
}

bus_redis::DeadLetters RedisBus::MakeDeadLetters() {
  return bus_redis::DeadLetters(MakeConnectionOptions("read"), names_);
}

Servers RedisBus::MakeServers(const std::string& purpose) {
  return Servers(MakeConnectionOptions(purpose));
}

StreamAdmin RedisBus::MakeAdmin() { return StreamAdmin(MakeConnectionOptions("admin"), names_); }

StreamReader RedisBus::MakeReader() { return StreamReader(MakeConnectionOptions("read"), names_); }

}  // namespace summa::bus_redis
