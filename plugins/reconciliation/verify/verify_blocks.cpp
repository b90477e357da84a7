#include "verify.hpp"

#include <algorithm>
#include <summa/copy_row.hpp>
#include <summa/ledger/hash.hpp>

#include "block_list.hpp"
#include "detached.hpp"
#include "job_pool.hpp"
#include "late_event.hpp"
#include "ranges.hpp"

namespace summa::verify {
namespace {

constexpr std::int64_t kRowsPerCount = 1024;
// Hashes are fed to the digest in pieces of this many bytes.
constexpr std::size_t kHashedAtOnce = 8192;
// Positions or events that one finding names.
constexpr std::size_t kMaxNamed = 100;

// The results computed from the events below a block.
struct Computed {
  ledger::Hash events_hash;
  std::int64_t events = 0;
  std::vector<std::int64_t> uncovered;  // positions between the block before and this one
  std::int64_t uncovered_count = 0;
  std::int64_t detached = 0;  // events of the block that are in detached partitions
};

// Consecutive blocks that are read by one statement.
struct Group {
  std::size_t first = 0, end = 0;
};

std::vector<Group> GroupsOf(const std::vector<Block>& blocks, std::size_t first,
                            std::int64_t rows_per_range) {
  std::vector<Group> groups;
  std::int64_t rows = 0;
  for (std::size_t at = first; at < blocks.size(); ++at) {
    if (groups.empty() || rows + blocks[at].event_count > rows_per_range) {
      groups.push_back({at, at});
      rows = 0;
    }
    groups.back().end = at + 1;
    rows += blocks[at].event_count;
  }
  return groups;
}

// Feeds hashes in the order of their positions to the blocks they lie in.
class BlockReader {
 public:
  BlockReader(const std::vector<Block>& blocks, const Group& group, std::span<Computed> out)
      : blocks_(blocks), at_(group.first), group_(group), out_(out) {
    buffer_.reserve(kHashedAtOnce + 64);
  }

  void Step(std::int64_t position, std::string_view hash) {
    while (at_ < group_.end && position > blocks_[at_].to) Next();
    if (at_ == group_.end) return;
    Computed& computed = out_[at_];
    if (position < blocks_[at_].from) {
      ++computed.uncovered_count;
      if (computed.uncovered.size() < kMaxNamed) computed.uncovered.push_back(position);
      return;
    }
    ++computed.events;
    buffer_.append(hash);
    if (buffer_.size() >= kHashedAtOnce) Flush();
  }
  void Finish() {
    while (at_ < group_.end) Next();
  }

 private:
  void Flush() {
    hasher_.Add(buffer_);
    buffer_.clear();
  }
  void Next() {
    Flush();
    out_[at_++].events_hash = hasher_.Finish();
  }

  const std::vector<Block>& blocks_;
  std::size_t at_;
  const Group group_;
  std::span<Computed> out_;
  ledger::Hasher hasher_;
  std::string buffer_;
};

class BlockCheck {
 public:
  BlockCheck(const summa_sql_v1* sql, const VerifyOptions& options, const BlockOptions& chosen)
      : sql_(sql),
        options_(options),
        chosen_(chosen),
        session_(sql, options.database),
        table_(ledger::FindEvents(session_)),
        blocks_(ReadBlocks(session_)),
        computed_(blocks_.size()) {}

  BlockReport Run() {
    std::size_t first = 0;
    while (chosen_.since && first < blocks_.size() && blocks_[first].made_at < *chosen_.since) {
      ++first;
    }
    Compute(first);
    for (std::size_t at = 0; at < blocks_.size(); ++at) CheckBlock(at, at >= first);
    CheckKnown();
    report_.finding_count = static_cast<std::int64_t>(report_.findings.size());
    return std::move(report_);
  }

 private:
  void Compute(std::size_t first) {
    const std::vector<Group> groups = GroupsOf(blocks_, first, RowsPerRange(options_));
    std::int64_t total = 0;
    for (std::size_t at = first; at < blocks_.size(); ++at) total += blocks_[at].event_count;
    JobPool pool(sql_, options_, "blocks", total);
    pool.Run(groups.size(), [&](Session& own, std::size_t job, JobMeter& meter) {
      ReadGroup(own, groups[job], meter);
    });
    report_.seconds = pool.Seconds();
  }

  void ReadGroup(Session& session, const Group& group, JobMeter& meter) {
    session.Exec("LOCK TABLE " + table_.name + " IN ACCESS SHARE MODE");
    for (std::size_t at = group.first; at < group.end; ++at) computed_[at] = {};
    BlockReader reader(blocks_, group, computed_);
    CopyRow row;
    std::int64_t rows = 0;
    const std::int64_t above = group.first == 0 ? 0 : blocks_[group.first - 1].to;
    session.CopyOut(Statement(above, blocks_[group.end - 1].to, ""), [&](std::string_view message) {
      if (!row.Open(message)) return true;
      const auto position = row.Next<std::int64_t>();
      // A missing hash is as wrong as a different one.
      reader.Step(position, row.Next<std::optional<std::string_view>>().value_or(""));
      return ++rows % kRowsPerCount != 0 || meter.Count(kRowsPerCount);
    });
    meter.Count(rows % kRowsPerCount);
    reader.Finish();
    CountDetached(session, group);
  }

  void CountDetached(Session& session, const Group& group) {
    std::vector<std::size_t> blocks;
    std::vector<std::int64_t> from, to;
    for (std::size_t at = group.first; at < group.end; ++at) {
      if (computed_[at].events >= blocks_[at].event_count) continue;
      blocks.push_back(at);
      from.push_back(blocks_[at].from);
      to.push_back(blocks_[at].to);
    }
    if (blocks.empty()) return;
    const std::vector<std::int64_t> counts =
        Detached::Find(session, table_).Count(session, from, to);
    for (std::size_t i = 0; i < blocks.size(); ++i) computed_[blocks[i]].detached = counts[i];
  }

  // Whether every event that the block lacks is in a detached partition.
  bool IsDetached(std::size_t at) const {
    const Computed& computed = computed_[at];
    return computed.detached > 0 && computed.events + computed.detached >= blocks_[at].event_count;
  }

  std::string Statement(std::int64_t above, std::int64_t to, const std::string& more) const {
    return "COPY (SELECT e." + table_.position + "::bigint, e." + table_.hash + more + " FROM " +
           table_.name + " e WHERE e." + table_.position + " > " + std::to_string(above) +
           " AND e." + table_.position + " <= " + std::to_string(to) + " ORDER BY e." +
           table_.position + ") TO STDOUT (FORMAT binary)";
  }

  void CheckBlock(std::size_t at, bool was_computed) {
    const Block& block = blocks_[at];
    const Block* before = at == 0 ? nullptr : &blocks_[at - 1];
    std::string reason = BrokenLink(block, before);
    if (!reason.empty()) {
      Add(BlockFinding(kind::kBlockLinkMismatch, block, block.previous_hash.value_or("none"),
                       before != nullptr ? before->block_hash : "none"));
    }
    if (before != nullptr && block.from <= before->to) {
      reason = "it begins before block " + std::to_string(before->sequence) + " ends";
      Add(BlockFinding(kind::kBlockCoverageGap, block, "from " + std::to_string(before->to + 1),
                       "from " + std::to_string(block.from)));
    }
    if (was_computed) {
      report_.events += computed_[at].events;
      CheckUncovered(block, computed_[at]);
      const bool detached = IsDetached(at);
      const std::string wrong = detached ? CheckRow(block) : CheckContent(at);
      if (!wrong.empty()) reason = wrong;
      ++(detached && reason.empty() ? report_.detached : report_.verified);
      if (!detached && reason.empty()) ++report_.valid;
    }
    if (reason.empty()) return;
    if (was_computed) ++report_.failed;
    report_.failures.push_back({block.id, block.sequence, reason});
  }

  void CheckUncovered(const Block& block, const Computed& computed) {
    if (computed.uncovered_count == 0) return;
    Finding finding =
        BlockFinding(kind::kBlockCoverageGap, block, "every event in one block",
                     std::to_string(computed.uncovered_count) + " events in none before it");
    finding.position = computed.uncovered[0];
    finding.candidates = EventIds(computed.uncovered);
    if (computed.uncovered_count == 1) finding.event_id = finding.candidates[0];
    Add(std::move(finding));
  }

  // Empty: the row of the block agrees with itself.
  std::string CheckRow(const Block& block) {
    const ledger::Hash hash = ledger::BlockHash(block.previous_hash, block.events_hash);
    if (hash == block.block_hash) return "";
    Add(BlockFinding(kind::kBlockHashMismatch, block, block.block_hash, hash.string()));
    return "hash mismatch: the row of the block was changed";
  }

  // Empty: the events below the block are those it was made from.
  std::string CheckContent(std::size_t at) {
    const Block& block = blocks_[at];
    const Computed& computed = computed_[at];
    if (computed.events_hash == block.events_hash) {
      const std::string wrong = CheckRow(block);
      if (!wrong.empty()) return wrong;
      if (computed.events == block.event_count) return "";
      Add(BlockFinding(kind::kBlockHashMismatch, block,
                       std::to_string(block.event_count) + " events",
                       std::to_string(computed.events) + " events"));
      return "the number of its events was changed";
    }
    if (computed.events > block.event_count && NameLate(block, computed)) return "";
    Finding finding = BlockFinding(kind::kBlockHashMismatch, block, block.events_hash,
                                   computed.events_hash.string());
    if (computed.events != block.event_count) {
      finding.expected += ", " + std::to_string(block.event_count) + " events";
      finding.found += ", " + std::to_string(computed.events) + " events";
      if (computed.detached > 0) {
        finding.found += " and " + std::to_string(computed.detached) + " in detached partitions";
      }
    }
    finding.candidates = Candidates(block);
    Add(std::move(finding));
    return "hash mismatch";
  }

  bool NameLate(const Block& block, const Computed& computed) {
    if (computed.events > kMaxSearchedRows) return false;
    std::vector<SealedRow> rows;
    std::vector<std::int64_t> positions;
    rows.reserve(static_cast<std::size_t>(computed.events));
    positions.reserve(static_cast<std::size_t>(computed.events));
    CopyRow row;
    session_.CopyOut(Statement(block.from - 1, block.to, ", e.created_at"),
                     [&](std::string_view message) {
                       if (!row.Open(message)) return true;
                       positions.push_back(row.Next<std::int64_t>());
                       auto hash = row.Next<std::optional<std::string>>().value_or("");
                       rows.push_back({std::move(hash), ToMicroseconds(row.Next<DatabaseTime>())});
                       return true;
                     });
    const auto late = FindLate(rows, static_cast<std::size_t>(computed.events - block.event_count),
                               block.events_hash);
    if (!late) return false;
    std::vector<std::int64_t> late_positions;
    late_positions.reserve(late->size());
    for (const std::size_t index : *late) late_positions.push_back(positions[index]);
    for (Finding& finding : DescribeEvents(late_positions)) {
      finding.kind = kind::kLateEvent;
      finding.block_sequence = block.sequence;
      finding.expected = "sealed";
      finding.found = "committed after the block was created";
      Add(std::move(finding));
    }
    return true;
  }

  // Whose hash can have changed without breaking the chain of its aggregate: the last of each.
  std::vector<std::string> Candidates(const Block& block) {
    const Result found = session_.Exec(
        "SELECT e.id FROM " + table_.name + " e WHERE e." + table_.position +
            " BETWEEN $1::bigint AND $2::bigint AND NOT EXISTS (SELECT FROM " + table_.name +
            " n WHERE n.aggregate_type = e.aggregate_type AND n.aggregate_id = e.aggregate_id AND "
            "n." +
            table_.version + " = e." + table_.version + " + 1) ORDER BY e." + table_.position +
            " LIMIT " + std::to_string(kMaxNamed),
        {block.from, block.to});
    std::vector<std::string> ids;
    ids.reserve(found.rows());
    for (const Row row : found) ids.push_back(ToText(row.Get<Uuid>("id")));
    return ids;
  }

  std::vector<Finding> DescribeEvents(std::span<const std::int64_t> positions) {
    const Result found =
        session_.Exec("SELECT e.aggregate_type, e.aggregate_id, e." + table_.version +
                          "::bigint AS version, e.id, e." + table_.position +
                          "::bigint AS position FROM " + table_.name + " e WHERE e." +
                          table_.position + " = ANY ($1::bigint[]) ORDER BY e." + table_.position,
                      {IntegerArray(positions)});
    std::vector<Finding> findings(found.rows());
    for (std::size_t i = 0; i < found.rows(); ++i) {
      const Row row = found[i];
      Finding& finding = findings[i];
      finding.step = "blocks";
      finding.aggregate_type = row.Get<std::string>("aggregate_type");
      finding.aggregate_id = ToText(row.Get<Uuid>("aggregate_id"));
      finding.version = row.Get<std::int64_t>("version");
      finding.event_id = ToText(row.Get<Uuid>("id"));
      finding.position = row.Get<std::int64_t>("position");
    }
    return findings;
  }

  std::vector<std::string> EventIds(std::span<const std::int64_t> positions) {
    std::vector<std::string> ids;
    ids.reserve(positions.size());
    for (const Finding& finding : DescribeEvents(positions)) ids.push_back(finding.event_id);
    return ids;
  }

  // The newest block that is known from elsewhere must still be there, unchanged.
  void CheckKnown() {
    if (!chosen_.known) return;
    const KnownBlock& known = *chosen_.known;
    const auto found = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& block) {
      return block.sequence == known.block_sequence;
    });
    Block missing;
    missing.sequence = known.block_sequence;
    if (found == blocks_.end()) {
      Add(BlockFinding(kind::kBlockCoverageGap, missing,
                       "sealed up to position " + std::to_string(known.to_position),
                       "the block is gone"));
      report_.failures.push_back({"", known.block_sequence, "the block is gone"});
    } else if (found->block_hash != known.block_hash) {
      Add(BlockFinding(kind::kBlockHashMismatch, *found, known.block_hash, found->block_hash));
      report_.failures.push_back(
          {found->id, found->sequence, "it is not the block that was sealed"});
    }
  }

  void Add(Finding finding) {
    if (report_.findings.size() < options_.max_findings) {
      report_.findings.push_back(std::move(finding));
    }
  }

  const summa_sql_v1* sql_;
  const VerifyOptions& options_;
  const BlockOptions& chosen_;
  Session session_;
  ledger::EventTable table_;
  const std::vector<Block> blocks_;
  std::vector<Computed> computed_;
  BlockReport report_;
};

}  // namespace

BlockReport VerifyBlocks(const summa_sql_v1* sql, const VerifyOptions& options,
                         const BlockOptions& block_options) {
  return BlockCheck(sql, options, block_options).Run();
}

}  // namespace summa::verify
