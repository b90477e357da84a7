// One aggregate's chain of hashes, from its first event or from a point that is trusted.
#pragma once

#include <optional>
#include <string>
#include <summa/ledger/canonical_json.hpp>
#include <summa/ledger/event_table.hpp>
#include <summa/ledger/hash.hpp>
#include <summa/sql.hpp>

#include "discrepancy.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct ChainPoint {
  std::int64_t version = 0;
  std::string hash;
};

struct ChainResult {
  bool valid = true;
  std::int64_t events = 0;    // verified
  ChainPoint head;            // the last event that was verified
  std::int64_t position = 0;  // of it
  Discrepancy broken;         // when not valid
};

class ChainVerifier {
 public:
  // The session is in a transaction with one snapshot, which it stays in.
  ChainVerifier(Session& session, Work& work, ledger::EventTable table,
                std::string_view hmac_secret)
      : session_(session), work_(work), table_(std::move(table)), hasher_(hmac_secret) {}

  // `from`: a point that is to be trusted; the event there must carry its hash, and the hash must
  // be that of its data.
  ChainResult Verify(const std::string& aggregate_type, const Uuid& aggregate_id,
                     const std::optional<ChainPoint>& from);

 private:
  // Whether the event is what must come next; fills `result`.
  bool Step(const Row& event, ChainResult& result);
  std::string Statement() const;

  Session& session_;
  Work& work_;
  ledger::EventTable table_;
  ledger::Hasher hasher_;
  ledger::Canonicalizer canonicalizer_;
};

}  // namespace summa::reconciliation
