// A consumer whose effects are rows: one for each message, written with the inbox under the lease
// of its worker. Messages whose id ends with 7 are poison. The table is made by the scenario.
#include <summa/consumer.hpp>
#include <summa/crash_point.hpp>
#include <summa/inbox.hpp>
#include <summa/plugin.hpp>

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A call ends by itself, so that the runner sees that the worker lives.
constexpr seconds kLongestCall{5};
constexpr milliseconds kLook{20};
// Fewer than the sessions of the host's pool, which the outbox needs as well.
constexpr int kHandlers = 4;

class Follower final : public summa::Worker {
 public:
  explicit Follower(summa::Host host) : host_(host) {}
  void Use(summa::BusClient bus) { bus_.emplace(bus); }

  // The reader holds a lease and is exclusive: order holds over a change of hosts.
  summa::TickResult Run(const summa::Tick& tick) override {
    std::atomic<std::int64_t> handled{0};
    summa::SubscribeOptions options;
    options.topics = {"ledger"};
    options.group = "follower";
    options.consumer = "follower";
    options.exclusive = true;
    options.concurrency = kHandlers;
    options.max_retries = 2;
    options.retry_base = milliseconds(5);
    options.retry_cap = milliseconds(50);
    options.handler = [&](const summa::ConsumedMessage& message) {
      Apply(tick, message);
      ++handled;
    };
    summa::Consumer consumer(*bus_, options);
    const auto end = host_.BootTime() + kLongestCall;
    while (!tick.ShouldStop() && host_.BootTime() < end) tick.Wait(kLook);
    consumer.Unsubscribe();
    return {handled, false, std::nullopt};
  }

 private:
  static void Apply(const summa::Tick& tick, const summa::ConsumedMessage& message) {
    if (message.id.ends_with('7')) throw summa::Error(SUMMA_E_DATA, "", "poison");
    summa::Session session(tick.sql());
    session.Begin();
    if (summa::Inbox::First(session, "follower", message.id)) {
      session.Exec(
          "INSERT INTO follower.effect (message_id, key, position, deliveries) "
          "VALUES ($1, $2, $3::bigint, $4::bigint)",
          {message.id, message.key,
           message.position == SUMMA_BUS_NO_POSITION ? summa::Parameter(nullptr)
                                                     : summa::Parameter(message.position),
           message.deliveries});
    }
    summa::CrashPoint("follower.written");
    session.Commit();
    summa::CrashPoint("follower.committed");
  }

  summa::Host host_;
  std::optional<summa::BusClient> bus_;
};

class LedgerFollower final : public summa::Plugin {
 public:
  explicit LedgerFollower(summa::Host host) : Plugin(host), follower_(host) {}
  void Start() override {
    follower_.Use(summa::BusClient(host().FindService(SUMMA_BUS_V1, "bus").service));
  }
  std::vector<summa::WorkerBinding> Workers() override { return {{"ledger-follower", &follower_}}; }

 private:
  Follower follower_;
};

}  // namespace

SUMMA_PLUGIN(LedgerFollower)
