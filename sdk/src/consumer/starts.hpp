// What the bus is told of the starts of handlers. It counts them, so that a message whose handler
// ends the process is known by its starts without an end.
#pragma once

#include "consumer_state.hpp"

namespace summa::detail {

// Another attempt begins: the bus counts it, unless it counted it already. False: another reader
// has the message. Throws what the bus throws.
bool BeginStart(ConsumerState& state, Held& held);

// Asks a bus that has claims whether the message is still ours; on another one, it is until its
// partition is lost.
bool StillOurs(ConsumerState& state, Held& held);

// The handler ended in good order and blames nobody: its start must not look like a crash. One
// that cannot be taken back is used for the next attempt. False: another reader has the message.
bool EndStart(ConsumerState& state, Held& held);

// Takes back starts that the bus counted and that were no crash: its reading counted as the first
// one, which never came, or the handler ended and the bus could not be told. At the end, when no
// thread is left; for a limited time, and not at all without the bus: they stay counted, which is
// allowed. Gives the lock up meanwhile.
void ReturnStarts(ConsumerState& state) noexcept SUMMA_REQUIRES(state.mutex);

}  // namespace summa::detail
