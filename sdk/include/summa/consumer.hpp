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
// time and in order; a message that fails holds its key until it is tried again, and no other key.
// After max_retries deliveries it goes to the dead letters and its key goes on. Delivery is at
// least once: a handler that writes to the database makes its effect exactly once with
// summa::Inbox. What counts as a failure: SubscribeOptions::handler.
//
// It works on every bus. Without claims what is handled is settled as far as nothing is missing
// before it; without counts attempts are counted here alone; without dead letters of its own what
// is given up goes to the stream TOPIC.dlq (docs/decisions/0049).
//
// Order per key holds within one reader of the group. Let a reader hold a lease and set
// `exclusive`, so that it holds over a change of readers as well: <summa/leased_consumer.hpp>,
// which plugins use, does so.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <summa/bus.hpp>
#include <summa/health.hpp>
#include <summa/subscribe_options.hpp>
#include <vector>

namespace summa {

// Any thread, but where it says otherwise.
class Consumer {
 public:
  // Throws what subscribing throws, SUMMA_E_CONFIG for impossible options.
  Consumer(BusClient bus, SubscribeOptions options);
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  ~Consumer();  // Unsubscribe()

  // Ends it: waits for the handlers that run, acknowledges what they did. Messages that wait in
  // memory are delivered again, to this group's next reader. Not from a handler.
  void Unsubscribe();

  // No handler starts and nothing more is fetched until Resume(); what is held stays ours.
  void Pause();
  void Resume();

  // Fetches no more and waits until everything held is settled. False: the time was over.
  bool Drain(std::chrono::microseconds limit);

  // Callbacks of `events` that threw or hang; for Plugin::Failing().
  std::vector<Finding> Failing() const;

  // Everything that was there at the latest poll is settled and acknowledged.
  bool CaughtUp() const;

  std::size_t held_messages() const;
  std::size_t held_bytes() const;

 private:
  class Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace summa
