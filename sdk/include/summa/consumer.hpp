// Consuming messages of a bus with a handler. Link Summa::consumer.
//
//   #include <summa/message_bus.hpp>
//   summa::MessageBus bus(summa::BusClient(host().FindService(SUMMA_BUS_V1, "bus").service));
//   auto subscription = bus.Subscribe({.topics = {"ledger-account-created"},
//                                      .group = "greeter",
//                                      .consumer = "greeter-1",
//                                      .handler = [](const summa::ConsumedMessage& message) { ...
//                                      }});
//
// Handlers run on `concurrency` threads of the consumer. Messages of one key are handled one at a
// time and in order; a message that fails blocks only its own key until it is tried again. After
// max_retries deliveries it becomes a dead letter and its key continues. Delivery is at least once:
// with summa::Inbox, a handler that writes to the database makes its effect happen exactly once.
// SubscribeOptions::handler describes what counts as a failure.
//
// It works on every bus. Without claims, handled messages are settled up to the first one that is
// not handled yet; without counts, attempts are counted only in the consumer; without dead letters
// of its own, dead letters go to the stream TOPIC.dlq (docs/decisions/0049).
//
// The order per key is kept within one reader of the group. To keep it across a change of readers,
// let a reader hold a lease and set `exclusive`: <summa/leased_consumer.hpp>, which plugins use,
// does so.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <summa/bus.hpp>
#include <summa/health.hpp>
#include <summa/subscribe_options.hpp>
#include <vector>

namespace summa {

// Any thread, except where stated otherwise.
class Consumer {
 public:
  // Throws what subscribing throws, and SUMMA_E_CONFIG for impossible options.
  Consumer(BusClient bus, SubscribeOptions options);
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  ~Consumer();  // Unsubscribe()

  // Ends the consumer: waits for running handlers and acknowledges the messages that they handled.
  // Messages that wait in memory are delivered again to the next reader of the group. Do not call
  // it from a handler.
  void Unsubscribe();

  // No handler starts and nothing more is fetched until Resume(); messages already held stay with
  // this reader.
  void Pause();
  void Resume();

  // Fetches no more and waits until everything held is settled. Returns false when the time has
  // passed. Either way nothing more is fetched until Resume().
  bool Drain(std::chrono::microseconds limit);

  // Callbacks of `events` that threw or hang, and dead letters that the bus refuses; for
  // Plugin::Failing().
  std::vector<Finding> Failing() const;

  // True when everything that was there at the latest poll is settled and acknowledged.
  bool CaughtUp() const;

  std::size_t held_messages() const;
  std::size_t held_bytes() const;

 private:
  class Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace summa
