// Compares the rows that were delivered with what a sink holds, by their ids.
#pragma once

#include <cstdint>
#include <vector>

#include "commands.hpp"

namespace summa::outbox {

struct Comparison {
  std::int64_t checked = 0;    // rows that the sink must hold
  std::int64_t delivered = 0;  // of them, those it holds
  std::vector<UndeliveredItem> missing;
};

// Looks at what was marked since this host first delivered to the sink, or since the option
// --since. What the sink has trimmed away is not judged. Memory: one page of rows, and what is
// missing.
Comparison FindMissing(const CommandCall& call, const CommandContext& context, const Sink& sink);

}  // namespace summa::outbox
