#include "chain_verifier.hpp"

#include <algorithm>

#include "verify/finding.hpp"

namespace summa::reconciliation {
namespace {

// Events in memory at once: some hundred kilobytes.
constexpr std::int64_t kPage = 1000;

// Why an event cannot follow the one before.
std::string_view KindOfBreak(std::int64_t version, std::int64_t expected) {
  if (version == expected) return verify::kind::kLinkMismatch;
  if (version < expected) return verify::kind::kVersionDuplicate;
  return expected == 1 ? verify::kind::kMissingFirst : verify::kind::kVersionGap;
}

}  // namespace

std::string ChainVerifier::Statement() const {
  return "SELECT " + table_.version + "::bigint AS version, " + table_.previous_hash +
         " AS previous_hash, " + table_.hash + " AS hash, event_data::text, id, " +
         table_.position + "::bigint AS position FROM " + table_.name +
         " WHERE aggregate_type = $1 AND aggregate_id = $2 AND " + table_.version +
         " >= $3::bigint ORDER BY " + table_.version + " LIMIT $4::bigint";
}

ChainResult ChainVerifier::Verify(const std::string& aggregate_type, const Uuid& aggregate_id,
                                  const std::optional<ChainPoint>& snapshot) {
  ChainResult result;
  result.broken.aggregate_type = aggregate_type;
  result.broken.aggregate_id = ToText(aggregate_id);
  runs_ = detached_.RunsOf(session_, aggregate_type, aggregate_id, INT64_MAX);
  // The event of a snapshot that is in a detached partition is not there to be compared with.
  const std::optional<ChainPoint> from = snapshot && !Left(*snapshot) ? snapshot : std::nullopt;
  const std::string statement = Statement();
  std::int64_t next = from ? from->version : 1;
  bool trusted_seen = !from;
  for (;;) {
    const Result events =
        session_.Exec(statement, {aggregate_type, UuidValue(aggregate_id), next, kPage});
    for (std::size_t i = 0; i < events.rows() && result.valid; ++i) {
      const Row event = events[i];
      if (!trusted_seen) {
        // The trusted event itself: its link is what the snapshot vouches for.
        trusted_seen = true;
        const bool there = event.Get<std::int64_t>("version") == from->version &&
                           event.Get<std::optional<std::string_view>>("hash") == from->hash;
        const auto previous = event.Get<std::optional<std::string>>("previous_hash");
        if (there && previous) result.head.hash = *previous;
        result.head.version = from->version - 1;
        result.valid = there;
        if (!there) break;
      }
      result.valid = Step(event, result);
    }
    if (!result.valid || events.rows() < static_cast<std::size_t>(kPage)) break;
    next = result.head.version + 1;
    work_.Read(kPage);
  }
  work_.Read(result.events % kPage);
  if (result.valid && trusted_seen) return result;
  result.valid = false;
  if (result.broken.kind.empty()) {
    result.broken.kind = verify::kind::kSnapshotMismatch;
    result.broken.version = from->version;
    result.broken.expected = from->hash;
    result.broken.found = "no event with this version and hash";
  }
  return result;
}

bool ChainVerifier::Left(const ChainPoint& point) const {
  return std::any_of(runs_.begin(), runs_.end(), [&](const verify::DetachedRun& run) {
    return run.Contains(point.version) && (run.last > point.version || run.last_hash == point.hash);
  });
}

bool ChainVerifier::CrossDetached(std::int64_t version, ChainResult& result) const {
  const std::optional<verify::Bridge> bridge = verify::FindBridge(runs_, version);
  if (!bridge) return true;
  if (!bridge->found.empty()) {
    result.broken.kind = verify::kind::kLinkMismatch;
    result.broken.expected = bridge->expected;
    result.broken.found = bridge->found;
    return false;
  }
  result.head = {version - 1, bridge->hash};
  result.detached_through = version - 1;
  return true;
}

bool ChainVerifier::Step(const Row& event, ChainResult& result) {
  const auto version = event.Get<std::int64_t>("version");
  const auto previous = event.Get<std::optional<std::string_view>>("previous_hash");
  // An event without a hash is one with a wrong hash.
  const std::string_view hash = event.Get<std::optional<std::string_view>>("hash").value_or("");
  const auto data = event.Get<std::string_view>("event_data");
  Discrepancy& broken = result.broken;
  broken.version = version;
  broken.event_id = ToText(event.Get<Uuid>("id"));
  broken.position = event.Get<std::int64_t>("position");
  if (version > result.head.version + 1 && !CrossDetached(version, result)) return false;
  const std::int64_t expected = result.head.version + 1;
  const bool linked =
      version == expected && (expected == 1 ? !previous : previous == result.head.hash);
  if (!linked) {
    broken.kind = KindOfBreak(version, expected);
    broken.expected =
        version == expected ? result.head.hash : "version " + std::to_string(expected);
    broken.found = version == expected ? std::string(previous.value_or(""))
                                       : "version " + std::to_string(version);
    return false;
  }
  const ledger::Hash computed = hasher_.Event(previous, canonicalizer_.EventData(data));
  if (computed != hash) {
    broken.kind = verify::kind::kEventHashMismatch;
    broken.expected = hash;
    broken.found = computed.string();
    return false;
  }
  ++result.events;
  result.head = {version, std::string(hash)};
  result.position = *broken.position;
  return true;
}

}  // namespace summa::reconciliation
