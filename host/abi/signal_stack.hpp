// A stack for handlers of signals, so that a thread whose own one is full can still say so.
#pragma once

namespace summa::host {

// For the calling thread, until it ends. Costs nothing when called again.
void EnsureSignalStack() noexcept;

}  // namespace summa::host
