// What each level of the verification says of a small ledger.
#pragma once

#include <set>

#include "tests/ledger/tamper_support.hpp"
#include "verify/verify.hpp"

namespace summa::verify {

using namespace ledger;  // whose databases are verified

struct Levels {
  ChainReport chains;
  SnapshotReport snapshots;
  BlockReport blocks;
  LedgerReport ledger;
};

inline Levels VerifyEverything(const LedgerDatabase& database,
                               const BlockOptions& block_options = {}) {
  VerifyOptions options;
  options.snapshot_table = "tamper.hash_snapshot";
  return {VerifyChains(database.sql(), options), VerifySnapshots(database.sql(), options),
          VerifyBlocks(database.sql(), options, block_options),
          CompareWithLedger(database.sql(), options)};
}

inline std::set<std::string> KindsOf(const std::vector<Finding>& findings) {
  std::set<std::string> kinds;
  for (const Finding& finding : findings) kinds.insert(finding.kind);
  return kinds;
}

inline std::string Described(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    JsonWriter json;
    Write(json, finding);
    text += json.text() + "\n";
  }
  return text;
}

}  // namespace summa::verify
