// One aggregate's chain of hashes, from its first event or from a point that is trusted.
#pragma once

#include <optional>
#include <string>
#include <summa/ledger/canonical_json.hpp>
#include <summa/ledger/event_table.hpp>
#include <summa/ledger/hash.hpp>
#include <summa/sql.hpp>

#include "discrepancy.hpp"
#include "verify/detached.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct ChainPoint {
  std::int64_t version = 0;
  std::string hash;
};

struct ChainResult {
  bool valid = true;
  std::int64_t events = 0;  // verified
  // The last version in a detached partition below them; 0: none.
  std::int64_t detached_through = 0;
  ChainPoint head;            // the last event that was verified
  std::int64_t position = 0;  // of it
  Discrepancy broken;         // when not valid
};

class ChainVerifier {
 public:
  // The session is in a transaction with one snapshot, which it stays in.
  ChainVerifier(Session& session, Work& work, ledger::EventTable table,
                std::string_view hmac_secret)
      : session_(session),
        work_(work),
        table_(std::move(table)),
        detached_(verify::Detached::Find(session, table_)),
        hasher_(hmac_secret) {}

  // `snapshot`: a point that is to be trusted; the event there must carry its hash, and the hash
  // must be that of its data. One in a detached partition is passed over: the chain is then linked
  // to what was recorded of its last event there.
  ChainResult Verify(const std::string& aggregate_type, const Uuid& aggregate_id,
                     const std::optional<ChainPoint>& snapshot);

 private:
  // Whether the event of a snapshot is known to be in a detached partition.
  bool Left(const ChainPoint& point) const;
  // Moves the head to the version below when that, and everything between, is in detached
  // partitions. False: they are not linked, which `result` then says.
  bool CrossDetached(std::int64_t version, ChainResult& result) const;
  // Whether the event is what must come next; fills `result`.
  bool Step(const Row& event, ChainResult& result);
  std::string Statement() const;

  Session& session_;
  Work& work_;
  ledger::EventTable table_;
  verify::Detached detached_;
  std::vector<verify::DetachedRun> runs_;  // of the aggregate that is verified
  ledger::Hasher hasher_;
  ledger::Canonicalizer canonicalizer_;
};

}  // namespace summa::reconciliation
