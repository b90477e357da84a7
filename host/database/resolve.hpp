// Names of machines to addresses, with a deadline, which getaddrinfo does not have. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "host/database/wake_up.hpp"

namespace summa::host {

struct Resolved {
  std::vector<std::string> addresses;  // numeric, in the order of the resolver
  std::string trouble;                 // why there are none
};

// Ends at the deadline, or when `stop` is signalled. A look-up that takes longer goes on in a
// thread of its own, and who asks for the same name meanwhile waits for it.
Resolved Resolve(const std::string& name, WakeUp& stop,
                 std::chrono::steady_clock::time_point deadline);

// Milliseconds for poll(), rounded up so that it never spins.
int PollMilliseconds(std::chrono::steady_clock::time_point deadline);

}  // namespace summa::host
