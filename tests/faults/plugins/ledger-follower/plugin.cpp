// A consumer whose effects are rows: one for each message, written with the inbox under the lease
// of its worker. Messages whose id ends with 7 are poison. The table is made by the scenario.
#include <summa/crash_point.hpp>
#include <summa/leased_consumer.hpp>
#include <summa/plugin.hpp>

namespace {

using std::chrono::milliseconds;

summa::SubscribeOptions Options() {
  summa::SubscribeOptions options;
  options.topics = {"ledger"};
  options.group = "follower";
  // Fewer than the sessions of the host's pool, which the outbox needs as well.
  options.concurrency = 4;
  options.max_retries = 2;
  options.retry_base = milliseconds(5);
  options.retry_cap = milliseconds(50);
  return options;
}

class Follower final : public summa::LeasedConsumer {
 public:
  explicit Follower(summa::Host host) : LeasedConsumer(host, Options()) {}

 private:
  void Handle(const summa::LeasedMessage& message) override {
    if (message.id.ends_with('7')) throw summa::Error(SUMMA_E_DATA, "", "poison");
    message.Once([&](summa::Session& session) {
      session.Exec(
          "INSERT INTO follower.effect (message_id, key, position, deliveries) "
          "VALUES ($1, $2, $3::bigint, $4::bigint)",
          {message.id, message.key,
           message.position == SUMMA_BUS_NO_POSITION ? summa::Parameter(nullptr)
                                                     : summa::Parameter(message.position),
           message.deliveries});
      summa::CrashPoint("follower.written");
    });
    summa::CrashPoint("follower.committed");
  }
};

class LedgerFollower final : public summa::Plugin {
 public:
  explicit LedgerFollower(summa::Host host) : Plugin(host), follower_(host) {}
  std::vector<summa::WorkerBinding> Workers() override { return {{"ledger-follower", &follower_}}; }

 private:
  Follower follower_;
};

}  // namespace

SUMMA_PLUGIN(LedgerFollower)
