// The thread that fetches the messages of one topic, and keeps them ours while they wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "consumer_state.hpp"

namespace summa::detail {

class FetchingThread {
 public:
  // Borrows both.
  FetchingThread(ConsumerState& state, TopicReader& reader);

  // Until the consumer ends.
  void Run();

 private:
  struct Room {
    std::size_t messages = 0;  // to fetch; 0: there is no room
    bool ready = false;        // others wait to be handled
  };
  void FetchOnce();
  void WaitAfterFailure();
  Room WaitForRoom();
  void Fetch(const Room& room);
  // The deliveries of a poll.
  void TakeNote(std::span<const summa_bus_delivery> deliveries, Microseconds claimed_at);
  void EndSubscription() noexcept;
  void SubscribeIfMissing();
  void DropRevoked();
  bool HasRoom() const SUMMA_REQUIRES(state_.mutex);
  void Remember(Held& held);
  void Add(Held held) SUMMA_REQUIRES(state_.mutex);
  bool HasAlready(const Held& held) const SUMMA_REQUIRES(state_.mutex);
  void RenewHeld();
  std::string SpareText();
  void KeepMemoryOf(Held& done);

  ConsumerState& state_;
  TopicReader& reader_;
  Microseconds next_renewal_{};
  std::int64_t failures_ = 0;  // of the bus, in a row
  std::vector<std::string> spare_texts_;
  std::string lane_name_;
};

}  // namespace summa::detail
