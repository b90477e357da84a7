#include "block_list.hpp"

namespace summa::verify {

std::vector<Block> ReadBlocks(Session& session) {
  std::vector<Block> blocks;
  if (!session.Exec("SELECT to_regclass('block_checkpoint') IS NOT NULL").Value<bool>()) {
    return blocks;
  }
  const Result found = session.Exec(
      "SELECT id, block_sequence::bigint, from_event_sequence::bigint, to_event_sequence::bigint, "
      "event_count::bigint, events_hash, block_hash, prev_block_id, prev_block_hash, block_at FROM "
      "block_checkpoint ORDER BY block_sequence");
  blocks.reserve(found.rows());
  for (const Row row : found) {
    Block block;
    block.id = ToText(row.Get<Uuid>("id"));
    block.sequence = row.Get<std::int64_t>("block_sequence");
    block.from = row.Get<std::int64_t>("from_event_sequence");
    block.to = row.Get<std::int64_t>("to_event_sequence");
    block.event_count = row.Get<std::int64_t>("event_count");
    // A missing hash is as wrong as a different one.
    block.events_hash = row.Get<std::optional<std::string>>("events_hash").value_or("");
    block.block_hash = row.Get<std::optional<std::string>>("block_hash").value_or("");
    const auto previous_id = row.Get<std::optional<Uuid>>("prev_block_id");
    if (previous_id) block.previous_id = ToText(*previous_id);
    block.previous_hash = row.Get<std::optional<std::string>>("prev_block_hash");
    block.made_at = ToMicroseconds(row.Get<DatabaseTime>("block_at"));
    blocks.push_back(std::move(block));
  }
  return blocks;
}

Finding BlockFinding(std::string_view kind, const Block& block, std::string expected,
                     std::string found) {
  Finding finding;
  finding.kind = kind;
  finding.step = "blocks";
  finding.block_sequence = block.sequence;
  finding.expected = std::move(expected);
  finding.found = std::move(found);
  return finding;
}

std::string BrokenLink(const Block& block, const Block* before) {
  if (before == nullptr) {
    return block.previous_id || block.previous_hash ? "the block before it is gone" : "";
  }
  if (block.previous_id != before->id) {
    return "its previous block is not block " + std::to_string(before->sequence);
  }
  if (block.previous_hash != before->block_hash) {
    return "the hash of block " + std::to_string(before->sequence) + " has changed";
  }
  return "";
}

}  // namespace summa::verify
