// Walks events in the order of (aggregate, version) and checks each against its predecessor. Pure:
// knows nothing of where the rows come from.
#pragma once

#include <summa/ledger/canonical_json.hpp>
#include <summa/ledger/hash.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::verify {

// One event, borrowed.
struct EventRow {
  Uuid aggregate_id{};
  std::int64_t version = 0;
  std::optional<std::string_view> previous_hash;
  std::string_view hash;
  std::string_view data;  // JSON text
  // Of the snapshot to start the aggregate from, when there is one.
  std::optional<std::int64_t> snapshot_version;
  std::string_view snapshot_hash;
  // Of the event one version below; only where the row before is not that event, and only when
  // Settings::looks_back.
  std::optional<std::string_view> predecessor_hash;
  // Runs of the aggregate below the event that are in detached partitions (see detached_run.hpp);
  // only where the row before is not the event one version below.
  std::string_view detached;
};

// What is wrong with one event, before its id has been looked up.
struct Flaw {
  std::string_view kind;
  Uuid aggregate_id{};
  std::int64_t version = 0;
  std::string expected, found;
};

// The part of an aggregate that one walk has seen.
struct Segment {
  Uuid aggregate_id{};
  std::int64_t first_version = 0, last_version = 0;
  std::int64_t events = 0;
  std::int64_t good_events = 0;  // before the first break
  std::optional<std::int64_t> broken_at;
  bool from_snapshot = false;
  bool across_detached = false;
};

struct WalkResult {
  std::int64_t events = 0, aggregates = 0, good_events = 0, snapshots_used = 0;
  std::int64_t across_detached = 0;  // aggregates with events in detached partitions
  std::int64_t flaw_count = 0, broken_count = 0;
  std::vector<Flaw> flaws;
  std::vector<Segment> broken;   // whole aggregates
  std::optional<Segment> piece;  // with Settings::is_piece; then nothing of it is counted above
};

class ChainWalker {
 public:
  // Where the only aggregate is to begin.
  struct Start {
    std::int64_t version = 1;
    // Of the event below; nothing: there is none, though there should be.
    std::optional<std::string> predecessor_hash;
    // Of the event itself, which a snapshot has named.
    std::optional<std::string> trusted_hash;
  };
  struct Settings {
    std::string hmac_secret;
    std::size_t max_flaws = 0;
    // Versions of one aggregate, which goes on outside.
    bool is_piece = false;
    std::optional<Start> start;
    // Only some events are read: links to the others come with the rows.
    bool looks_back = false;
  };
  explicit ChainWalker(const Settings& settings)
      : settings_(settings), hasher_(settings.hmac_secret) {}

  void Step(const EventRow& event);
  WalkResult Finish();

 private:
  void Begin(const EventRow& event);
  void BeginAtStart(const EventRow& event, const Start& start);
  void BeginAtSnapshot(const EventRow& event, std::int64_t version, std::string_view hash);
  void Continue(const EventRow& event);
  void End();
  void CheckHash(const EventRow& event);
  void CheckLink(const EventRow& event, const std::optional<std::string_view>& predecessor_hash);
  void CheckLookedBack(const EventRow& event);
  // Whether detached events fill the gap below; how they are linked is then checked.
  bool CheckDetached(const EventRow& event);
  void Fail(std::string_view kind, const EventRow& event, std::string_view expected,
            std::string_view found);

  const Settings& settings_;
  ledger::Canonicalizer canonicalizer_;
  ledger::Hasher hasher_;
  WalkResult result_;
  std::optional<Segment> open_;
  std::string last_hash_;
};

}  // namespace summa::verify
