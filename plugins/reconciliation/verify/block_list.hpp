// The rows of block_checkpoint, and what can be told from them alone.
#pragma once

#include "verify.hpp"

namespace summa::verify {

struct Block {
  std::string id;
  std::int64_t sequence = 0, from = 0, to = 0, event_count = 0;
  std::string events_hash, block_hash;
  std::optional<std::string> previous_id, previous_hash;
  std::int64_t made_at = 0;  // microseconds since 2000-01-01
};

// In the order of their sequence; empty when there is no table of blocks. 300 bytes each: an hourly
// block for a hundred years is 260 MB, a daily one 11 MB.
std::vector<Block> ReadBlocks(Session& session);

Finding BlockFinding(std::string_view kind, const Block& block, std::string expected,
                     std::string found);

// Why the block does not follow the one before (nullptr: it is the first); empty when it does.
std::string BrokenLink(const Block& block, const Block* before);

}  // namespace summa::verify
