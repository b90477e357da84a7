// What became of a transaction whose COMMIT was sent and not answered: the server is asked, over a
// new connection, by the transaction's number. Only for host/database.
#pragma once

#include <functional>
#include <string>

#include "host/database/backend_identity.hpp"
#include "host/database/session.hpp"

namespace summa::host {

// Known before COMMIT is sent.
struct InDoubtCommit {
  std::string transaction_id;  // of pg_current_xact_id()
  BackendIdentity backend;
};

enum class CommitOutcome { kUnknown, kCommitted, kAborted };

struct CommitResolution {
  CommitOutcome outcome = CommitOutcome::kUnknown;
  std::string why;  // for people
};

// Asks until there is an answer, at most about 15 s, or 3 s from when told_to_stop() was first true
// (decision 0007). A COMMIT that is still under way is given a second, then exactly its backend is
// ended. Never throws but for lack of memory. Counts summa_db_ambiguous_commits_total and logs one
// line.
CommitResolution ResolveCommit(const DatabaseSettings& settings, const InDoubtCommit& commit,
                               const std::function<bool()>& told_to_stop);

}  // namespace summa::host
