#include "seals.hpp"

#include <algorithm>

#include "content_hash.hpp"
#include "positions.hpp"
#include "reconciliation_sql.hpp"
#include "verify/detached.hpp"
#include "verify/finding.hpp"

namespace summa::reconciliation {
namespace {

constexpr std::int64_t kPage = 100;
// Positions of one block that are named one by one.
constexpr std::size_t kMaxNamed = 100;

struct Seal {
  std::string block_id, block_hash, content_hash;
  std::int64_t sequence = 0;
  Positions positions;
  bool block_there = false;
  std::string block_hash_now, events_hash;
  std::int64_t from = 0, to = 0;  // of the block
};

Seal ReadSeal(const Row& row) {
  Seal seal;
  seal.block_id = row.Get<std::string>("block_id");
  seal.sequence = row.Get<std::int64_t>("block_sequence");
  seal.block_hash = row.Get<std::string>("block_hash");
  seal.content_hash = row.Get<std::string>("content_hash");
  seal.positions = Positions(row.Get<std::string_view>("positions"));
  const auto block_hash_now = row.Get<std::optional<std::string>>("block_hash_now");
  seal.block_there = block_hash_now.has_value();
  seal.from = seal.positions.first();
  seal.to = seal.positions.last();
  if (!seal.block_there) return seal;
  seal.block_hash_now = *block_hash_now;
  seal.events_hash = row.Get<std::optional<std::string>>("events_hash").value_or("");
  // Of the block as well: what is in its range but not in the seal came late.
  seal.from = std::min(seal.from, row.Get<std::int64_t>("from_event_sequence"));
  seal.to = std::max(seal.to, row.Get<std::int64_t>("to_event_sequence"));
  return seal;
}

// What the events below a seal are now.
class Reading {
 public:
  explicit Reading(const Positions& sealed)
      : range_(sealed.ranges().begin()), end_(sealed.ranges().end()) {
    if (range_ != end_) next_ = range_->begin;
  }

  void Add(const ContentHash::Row& event) {
    const auto position = ReadAs<std::int64_t>(event[ContentHash::kPosition]);
    MissUntil(position);
    if (range_ == end_ || position != next_) {
      if (late.size() < kMaxNamed) late.push_back(position);
      return;
    }
    hashes_.Add(ContentHash::HashOf(event));
    content_.Add(event);
    Advance();
  }
  void Finish() {
    MissUntil(INT64_MAX);
    events_hash = hashes_.Finish().string();
    content_hash = content_.Finish();
  }

  std::vector<std::int64_t> late, missing;  // missing: all, in order
  std::string events_hash, content_hash;

 private:
  void Advance() {
    if (++next_ < range_->end) return;
    if (++range_ != end_) next_ = range_->begin;
  }
  void MissUntil(std::int64_t position) {
    while (range_ != end_ && next_ < position) {
      missing.push_back(next_);
      Advance();
    }
  }

  std::vector<Positions::Range>::const_iterator range_, end_;
  std::int64_t next_ = 0;
  ledger::Hasher hashes_;
  ContentHash content_;
};

class Checker {
 public:
  Checker(Session& session, Work& work, const ledger::EventTable& table)
      : session_(session),
        work_(work),
        table_(table),
        detached_(verify::Detached::Find(session, table)) {}

  SealReport Run(std::int64_t after_sequence) {
    for (;;) {
      const Result rows = session_.Exec(sql::seals, {after_sequence, kPage});
      if (rows.rows() == 0) return std::move(report_);
      for (const Row row : rows) {
        const Seal seal = ReadSeal(row);
        Check(seal);
        after_sequence = seal.sequence;
      }
    }
  }

 private:
  void Check(const Seal& seal) {
    SealResult& result = report_.blocks[seal.sequence];
    result.block_id = seal.block_id;
    work_.GiveWay(session_);
    Reading reading(seal.positions);
    std::int64_t events = 0;
    CopyRow row;
    session_.CopyOut("COPY (SELECT " + ContentHash::Columns(table_) + " FROM " + table_.name +
                         " WHERE " + table_.position + " BETWEEN " + std::to_string(seal.from) +
                         " AND " + std::to_string(seal.to) + " ORDER BY " + table_.position +
                         ") TO STDOUT (FORMAT binary)",
                     [&](std::string_view message) {
                       if (!row.Open(message)) return true;
                       reading.Add(ContentHash::Read(row));
                       ++events;
                       return true;
                     });
    reading.Finish();
    if (!reading.missing.empty()) result.detached = ExcuseDetached(seal, reading);
    report_.events += events;
    result.late = reading.late;
    Evaluate(seal, reading, result);
    work_.Progress("sealed events", report_.events, 0);
    work_.Read(events);
  }

  // Takes away what is in detached partitions; whether there was any. A partition may have left, or
  // may have come back, since the seals before were read: what was known then counts as well.
  bool ExcuseDetached(const Seal& seal, Reading& reading) {
    const std::size_t missing = reading.missing.size();
    EraseDetached(seal, reading);
    if (reading.missing.empty()) return true;
    detached_ = verify::Detached::Find(session_, table_);
    EraseDetached(seal, reading);
    return reading.missing.size() < missing;
  }

  void EraseDetached(const Seal& seal, Reading& reading) {
    const std::vector<std::int64_t> detached =
        detached_.Positions(session_, seal.positions.first(), seal.positions.last());
    std::erase_if(reading.missing, [&](std::int64_t position) {
      return std::binary_search(detached.begin(), detached.end(), position);
    });
  }

  void Evaluate(const Seal& seal, const Reading& reading, SealResult& result) {
    if (!seal.block_there) {
      Fail(result, seal, verify::kind::kBlockCoverageGap, "the block that was sealed",
           "the block is gone");
    } else if (seal.block_hash_now != seal.block_hash) {
      Fail(result, seal, verify::kind::kBlockHashMismatch, seal.block_hash, seal.block_hash_now);
    }
    const std::size_t named = std::min(reading.missing.size(), kMaxNamed);
    for (std::size_t i = 0; i < named; ++i) {
      Fail(result, seal, verify::kind::kBlockCoverageGap, "the event that was sealed",
           "the event is gone", reading.missing[i]);
    }
    report_.findings.Count(static_cast<std::int64_t>(reading.missing.size() - named));
    if (!reading.missing.empty() || result.detached) return;
    if (seal.block_there && reading.events_hash != seal.events_hash) {
      Fail(result, seal, verify::kind::kBlockHashMismatch, seal.events_hash, reading.events_hash);
    } else if (reading.content_hash != seal.content_hash) {
      Fail(result, seal, verify::kind::kBlockHashMismatch, "all columns as they were sealed",
           "a column that the hashes of events do not cover was changed");
    }
  }

  void Fail(SealResult& result, const Seal& seal, std::string_view kind, std::string expected,
            std::string found, std::optional<std::int64_t> position = std::nullopt) {
    result.intact = false;
    result.reason = found.size() == 64 ? "hash mismatch" : found;
    Discrepancy finding;
    finding.kind = kind;
    finding.step = "blocks";
    finding.block_sequence = seal.sequence;
    finding.position = position;
    finding.expected = std::move(expected);
    finding.found = std::move(found);
    report_.findings.Add(std::move(finding));
  }

  Session& session_;
  Work& work_;
  const ledger::EventTable& table_;
  verify::Detached detached_;
  SealReport report_;
};

}  // namespace

SealReport CheckSeals(Session& session, Work& work, const ledger::EventTable& table,
                      std::int64_t after_sequence) {
  return Checker(session, work, table).Run(after_sequence);
}

}  // namespace summa::reconciliation
