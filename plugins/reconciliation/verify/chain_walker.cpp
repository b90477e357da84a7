#include "chain_walker.hpp"

#include <summa/error.hpp>

#include "detached_run.hpp"
#include "finding.hpp"

namespace summa::verify {
namespace {

constexpr std::string_view kNone = "none";  // a hash that is absent

}  // namespace

void ChainWalker::Step(const EventRow& event) {
  if (open_ && open_->aggregate_id == event.aggregate_id) {
    Continue(event);
  } else {
    End();
    Begin(event);
  }
  CheckHash(event);
  ++open_->events;
  if (!open_->broken_at) ++open_->good_events;
  open_->last_version = event.version;
  last_hash_.assign(event.hash);
}

void ChainWalker::Begin(const EventRow& event) {
  open_.emplace();
  open_->aggregate_id = event.aggregate_id;
  open_->first_version = event.version;
  if (settings_.start) {
    BeginAtStart(event, *settings_.start);
  } else if (event.snapshot_version) {
    BeginAtSnapshot(event, *event.snapshot_version, event.snapshot_hash);
  } else if (event.version == 1) {
    CheckLink(event, std::nullopt);
  } else if (settings_.looks_back) {
    CheckLookedBack(event);
  } else if (!CheckDetached(event)) {
    Fail(kind::kMissingFirst, event, "1", std::to_string(event.version));
  }
}

void ChainWalker::BeginAtStart(const EventRow& event, const Start& start) {
  if (start.trusted_hash) return BeginAtSnapshot(event, start.version, *start.trusted_hash);
  if (event.version != start.version || !start.predecessor_hash) {
    if (CheckDetached(event)) return;
    return Fail(kind::kVersionGap, event, std::to_string(start.version - 1),
                std::to_string(event.version));
  }
  CheckLink(event, *start.predecessor_hash);
}

void ChainWalker::BeginAtSnapshot(const EventRow& event, std::int64_t version,
                                  std::string_view hash) {
  open_->from_snapshot = true;
  if (event.version == version && event.hash == hash) return;
  if (event.version > version && CheckDetached(event)) {
    // Of the events that are not here, only the last one's hash is known.
    for (const DetachedRun& run : ParseRuns(event.detached)) {
      if (run.last == version && run.last_hash != hash) {
        Fail(kind::kSnapshotMismatch, event, hash, run.last_hash);
      }
    }
    open_->from_snapshot = false;
    return;
  }
  Fail(kind::kSnapshotMismatch, event, hash,
       event.version == version ? event.hash : "no such event");
}

void ChainWalker::Continue(const EventRow& event) {
  const std::int64_t expected = open_->last_version + 1;
  if (event.version == open_->last_version) {
    Fail(kind::kVersionDuplicate, event, std::to_string(expected), std::to_string(event.version));
  } else if (event.version == expected) {
    CheckLink(event, last_hash_);
  } else if (settings_.looks_back) {
    CheckLookedBack(event);
  } else if (!CheckDetached(event)) {
    // It cannot be linked to the event before the gap, so that is not reported.
    Fail(kind::kVersionGap, event, std::to_string(expected), std::to_string(event.version));
  }
}

// What the event says of its predecessor is expected; the predecessor is what is found.
void ChainWalker::CheckLink(const EventRow& event,
                            const std::optional<std::string_view>& predecessor_hash) {
  if (event.previous_hash == predecessor_hash) return;
  Fail(kind::kLinkMismatch, event, event.previous_hash.value_or(kNone),
       predecessor_hash.value_or(kNone));
}

void ChainWalker::CheckLookedBack(const EventRow& event) {
  if (event.predecessor_hash) return CheckLink(event, event.predecessor_hash);
  if (CheckDetached(event)) return;
  Fail(kind::kVersionGap, event, std::to_string(event.version - 1), std::to_string(event.version));
}

bool ChainWalker::CheckDetached(const EventRow& event) {
  const std::optional<Bridge> bridge = FindBridge(ParseRuns(event.detached), event.version);
  if (!bridge) return false;
  open_->across_detached = true;
  if (!bridge->found.empty()) Fail(kind::kLinkMismatch, event, bridge->expected, bridge->found);
  CheckLink(event, bridge->hash);
  return true;
}

void ChainWalker::CheckHash(const EventRow& event) {
  try {
    const ledger::Hash computed =
        hasher_.Event(event.previous_hash, canonicalizer_.EventData(event.data));
    if (computed == event.hash) return;
    Fail(kind::kEventHashMismatch, event, event.hash, computed.text());
  } catch (const Error& unreadable) {
    Fail(kind::kEventHashMismatch, event, event.hash, unreadable.what());
  }
}

void ChainWalker::Fail(std::string_view kind, const EventRow& event, std::string_view expected,
                       std::string_view found) {
  if (!open_->broken_at) open_->broken_at = event.version;
  if (++result_.flaw_count > static_cast<std::int64_t>(settings_.max_flaws)) return;
  result_.flaws.push_back(
      {kind, event.aggregate_id, event.version, std::string(expected), std::string(found)});
}

void ChainWalker::End() {
  if (!open_) return;
  result_.events += open_->events;
  if (open_->from_snapshot) ++result_.snapshots_used;
  if (settings_.is_piece) {
    result_.piece = open_;
    open_.reset();
    return;
  }
  ++result_.aggregates;
  if (open_->across_detached) ++result_.across_detached;
  result_.good_events += open_->good_events;
  if (open_->broken_at) {
    ++result_.broken_count;
    if (result_.broken.size() < settings_.max_flaws) result_.broken.push_back(*open_);
  }
  open_.reset();
}

WalkResult ChainWalker::Finish() {
  End();
  return std::move(result_);
}

}  // namespace summa::verify
