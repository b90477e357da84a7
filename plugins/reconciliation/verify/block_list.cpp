#include "block_list.hpp"

namespace summa::verify {

std::vector<Block> ReadBlocks(Session& session) {
  std::vector<Block> blocks;
  if (!session.Exec("SELECT to_regclass('block_checkpoint') IS NOT NULL").At(0, 0).Boolean()) {
    return blocks;
  }
  const Result found = session.Exec(
      "SELECT id, block_sequence::bigint, from_event_sequence::bigint, to_event_sequence::bigint, "
      "event_count::bigint, events_hash, block_hash, prev_block_id, prev_block_hash, block_at FROM "
      "block_checkpoint ORDER BY block_sequence");
  blocks.reserve(found.rows());
  for (std::size_t row = 0; row < found.rows(); ++row) {
    Block block;
    block.id = ToText(found.At(row, 0).AsUuid());
    block.sequence = found.At(row, 1).Integer();
    block.from = found.At(row, 2).Integer();
    block.to = found.At(row, 3).Integer();
    block.event_count = found.At(row, 4).Integer();
    block.events_hash = found.At(row, 5).Text();
    block.block_hash = found.At(row, 6).Text();
    if (!found.At(row, 7).null()) block.previous_id = ToText(found.At(row, 7).AsUuid());
    if (!found.At(row, 8).null()) block.previous_hash = std::string(found.At(row, 8).Text());
    block.made_at = found.At(row, 9).Integer();
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
    return "it names another block before it than block " + std::to_string(before->sequence);
  }
  if (block.previous_hash != before->block_hash) {
    return "the hash of block " + std::to_string(before->sequence) + " is no longer what it was";
  }
  return "";
}

}  // namespace summa::verify
