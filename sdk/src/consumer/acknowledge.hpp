// Acknowledging what was handled: by whichever thread finds that there is something.
#pragma once

#include "consumer_state.hpp"

namespace summa::detail {

// Acknowledges what the reader has handled, unless a thread does so already. What the bus does not
// take is kept for the next time. Gives the lock up meanwhile.
void Acknowledge(ConsumerState& state, TopicReader& reader) SUMMA_REQUIRES(state.mutex);

// The same of every reader.
void AcknowledgeAll(ConsumerState& state) SUMMA_REQUIRES(state.mutex);

}  // namespace summa::detail
