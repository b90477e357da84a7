// Verification of a whole ledger: every event hash is computed anew, in constant memory, over
// several connections. Reads only; takes ACCESS SHARE on ledger_event for one range at a time, so
// that no long snapshot holds back vacuum.
//
//   summa::verify::VerifyOptions options;
//   options.should_stop = [&] { return tick.ShouldStop(); };
//   const auto report = summa::verify::VerifyChains(tick.sql(), options);
//
// Errors are summa::Error: those of summa.sql/1, SH-0414 and SH-0415 (no event table), SH-0904
// (stopped, status SUMMA_E_CANCELLED). What is wrong with the data is a finding, never an error.
// Threads: each function starts `connections` threads of its own and ends them before it returns;
// the callbacks are called by the caller's thread.
#pragma once

#include <summa/ledger/event_table.hpp>

#include <functional>

#include "finding.hpp"

namespace summa::verify {

struct Progress {
  std::string_view stage;  // "chains", "snapshots", "blocks", "ledger"
  std::int64_t done = 0;   // rows
  std::int64_t total = 0;  // estimated from the catalog; never below `done`
};

struct VerifyOptions {
  std::string database = "ledger";
  // Sessions at once. Two keep two cores busy; each costs the server one.
  int connections = 2;
  // Rows per second over all connections, of which there are no more then than it needs; 0: no
  // limit.
  std::int64_t max_rows_per_second = 0;
  // A range is one statement and must end within database.statement_timeout. Short ones keep the
  // connections busy to the end.
  std::int64_t rows_per_range = 50'000;
  // Secret of HMAC hashes (Summa's advanced.hmacSecret); empty: plain SHA-256.
  std::string hmac_secret;
  // Findings, and broken chains, above this many are counted and not kept.
  std::size_t max_findings = 10'000;
  // Table of snapshots (the columns of the plan's hash_snapshot); empty: there is none.
  std::string snapshot_table = "summa_host.hash_snapshot";
  // Start each aggregate at its latest snapshot. What lies below it is trusted, see
  // docs/integrity.md.
  bool from_snapshots = false;
  // Only events created since then (microseconds since 2000-01-01 UTC); what such an event is
  // linked to is looked up, not verified. On a partitioned table older partitions are not read.
  std::optional<std::int64_t> created_since;
  // Only aggregates with an id in [aggregates_from, aggregates_to): a part of the ledger. Of
  // VerifyChains.
  std::optional<Uuid> aggregates_from, aggregates_to;
  // Asked at least five times a second.
  std::function<bool()> should_stop;
  // Called about twice a second.
  std::function<void(const Progress&)> on_progress;
};

struct BrokenChain {
  std::string aggregate_type, aggregate_id;
  std::int64_t broken_at_version = 0;
  std::int64_t event_count = 0;  // good events before it
};

struct ChainReport {
  std::int64_t aggregates = 0;
  std::int64_t events = 0;
  std::int64_t events_in_valid_prefixes = 0;  // before the first break of their aggregate
  std::int64_t snapshots_used = 0;
  // Aggregates with gaps that are events of detached partitions, verified across them.
  std::int64_t across_detached = 0;
  std::int64_t broken_count = 0;
  std::int64_t finding_count = 0;
  std::vector<BrokenChain> broken;  // in the order of aggregate type and id
  std::vector<Finding> findings;    // in the order of aggregate type, id and version
  double seconds = 0;
};

// Every aggregate: hashes, links, versions from 1 without a gap, but for what detached.hpp knows
// of.
ChainReport VerifyChains(const summa_sql_v1* sql, const VerifyOptions& options);

struct SnapshotStart {
  std::int64_t version = 0;
  std::string hash;
};

struct AggregateReport {
  bool valid = true;
  bool exists = true;  // whether there is any event
  std::optional<std::int64_t> broken_at_version;
  std::int64_t event_count = 0;                  // verified good events before the break
  std::int64_t verified_from = 1;                // version
  std::optional<std::int64_t> snapshot_version;  // that was started from
  // The last version in a detached partition: the chain was linked to it, and what is above was
  // verified. `verified_from` is then above it.
  std::optional<std::int64_t> detached_through;
  std::vector<Finding> findings;
};

// One aggregate from its first event; with `start`, from that trusted event on: it must still be
// there under its hash, and the first version, too. A start that no longer fits is a
// snapshot_mismatch, and the aggregate is then verified in full.
AggregateReport VerifyAggregate(const summa_sql_v1* sql, const VerifyOptions& options,
                                const std::string& aggregate_type, const Uuid& aggregate_id,
                                const std::optional<SnapshotStart>& start = std::nullopt);

struct SnapshotReport {
  std::int64_t snapshots = 0;
  std::int64_t mismatches = 0;
  std::vector<Finding> findings;
};

// Every snapshot ever taken against the event it names, and the events below the latest one of an
// aggregate counted.
SnapshotReport VerifySnapshots(const summa_sql_v1* sql, const VerifyOptions& options);

// What is known of the newest block from elsewhere (a note of an earlier run, an anchor outside).
struct KnownBlock {
  std::int64_t block_sequence = 0;
  std::int64_t to_position = 0;
  std::string block_hash;
};

struct BlockFailure {
  std::string block_id;
  std::int64_t block_sequence = 0;
  std::string reason;
};

struct BlockOptions {
  // Blocks made since then (microseconds since 2000-01-01 UTC) are computed anew; the links of all
  // are looked at in any case.
  std::optional<std::int64_t> since;
  // Highest position that is known to be sealed; every event up to it must be in a block.
  std::optional<KnownBlock> known;
};

struct BlockReport {
  std::int64_t verified = 0, valid = 0, failed = 0;  // blocks; one with a late event is valid
  // Blocks with events in detached partitions, which cannot be computed anew; none of the above.
  std::int64_t detached = 0;
  std::int64_t events = 0;  // whose hashes went into them
  std::int64_t finding_count = 0;
  std::vector<BlockFailure> failures;
  std::vector<Finding> findings;
  double seconds = 0;
};

BlockReport VerifyBlocks(const summa_sql_v1* sql, const VerifyOptions& options,
                         const BlockOptions& block_options = {});

struct LedgerReport {
  std::int64_t events = 0;  // compared; 0 when their types are not those of a known ledger
  std::int64_t finding_count = 0;
  std::vector<Finding> findings;
  double seconds = 0;
};

// Events against transaction_record, entry_record and account_balance, and the other way round:
// what a forger who also computed the hashes anew has not made consistent.
LedgerReport CompareWithLedger(const summa_sql_v1* sql, const VerifyOptions& options);

}  // namespace summa::verify
