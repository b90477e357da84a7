// Acknowledging what was handled: by whichever thread finds that there is something.
#pragma once

#include "consumer_state.hpp"

namespace summa::detail {

// Acknowledges what the reader has handled, unless a thread does so already. What the bus does not
// take is kept for the next time. Gives the lock up meanwhile.
void Acknowledge(ConsumerState& state, std::unique_lock<std::mutex>& lock, TopicReader& reader);

// The same of every reader.
void AcknowledgeAll(ConsumerState& state, std::unique_lock<std::mutex>& lock);

}  // namespace summa::detail
