// A worker that consumes messages, ready to use in a plugin. Link Summa::consumer.
//
//   class Greeter final : public summa::LeasedConsumer {
//    public:
//     explicit Greeter(summa::Host host)
//         : LeasedConsumer(host, {.topics = {"ledger-account-created"}, .group = "greeter"}) {}
//     void Handle(const summa::LeasedMessage& message) override {
//       message.Once([&](summa::Session& session) { session.Exec("INSERT INTO ..."); });
//     }
//   };
//
// Bind it to a worker of the manifest with `kind: continuous`, which takes a lease. While a host
// holds the lease it is the only reader of the group, so that the order per key is kept across a
// change of hosts. It subscribes only when its worker runs: never in `doctor`, verbs or checks.
// `run --once` handles everything that is there. Pausing, parking, `/status` and metrics work as
// for every worker.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <summa/consumer.hpp>
#include <summa/host.hpp>
#include <summa/mutex.hpp>
#include <summa/sql.hpp>
#include <summa/worker.hpp>
#include <vector>

namespace summa {

// Borrowed while the handler runs.
struct LeasedMessage : ConsumedMessage {
  const summa_sql_v1* sql = nullptr;  // sessions commit only while the lease is held
  std::int64_t fence = 0;
  std::string_view group;

  // Runs the effect in the database once for each message, however often it is delivered, in one
  // transaction that also records the message (summa_host.inbox). Returns false when the effect is
  // already committed.
  bool Once(const std::function<void(Session&)>& effect) const;
};

class LeasedConsumer : public Worker {
 public:
  // `options` without handler, is_away and exclusive, which are set here; `consumer` may be empty.
  // bus: the alias in `requires` of the manifest.
  LeasedConsumer(Host host, SubscribeOptions options, std::string bus = "bus");

  TickResult Run(const Tick& tick) final;

  // For Plugin::Failing(): callbacks of `events` that throw or hang, and dead letters that the bus
  // refuses. Between two calls, those of the latest one. Any thread.
  std::vector<Finding> Failing() const;

 protected:
  // Handles one message; called on up to `concurrency` threads at the same time, never for two
  // messages of one key. For exceptions see SubscribeOptions::handler.
  virtual void Handle(const LeasedMessage& message) = 0;

 private:
  class Shown;
  void Await(const Tick& tick, const Consumer& consumer) const;

  const Host host_;
  const std::string bus_;
  SubscribeOptions options_;
  DeliveryMemory memory_;   // of the calls under one lease
  std::int64_t fence_ = 0;  // of the latest call
  mutable Mutex mutex_;
  Consumer* consumer_ SUMMA_GUARDED_BY(mutex_) = nullptr;  // while it runs
  std::vector<Finding> failing_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa
