// What a statement is, told from its first words: whether it may be prepared, and whether a session
// may run it at all. Not a parser: it stops forgetting, not malice. Thread-safe.
#pragma once

#include <string_view>

namespace summa::host {

enum class StatementKind {
  kPreparable,    // SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, WITH, TABLE
  kCursor,        // DECLARE: may outlive its transaction
  kCopy,          // only through CopyOut and CopyIn
  kBlock,         // DO, CALL: could commit by themselves outside a transaction
  kTransaction,   // BEGIN, COMMIT, ...: the host's, because every commit is fenced
  kVacuum,        // \ run only outside a transaction: through
  kConcurrently,  // / ExecAutocommit
  kSessionState,  // SET without LOCAL, PREPARE, LISTEN, ...: would leak to the next user
  kOther
};

StatementKind KindOf(std::string_view sql);

// Leaves something behind in the session that nothing takes back (session settings, session locks),
// so that the connection must not be used again by somebody else.
bool LeavesTraces(std::string_view sql);

// May change statement_timeout for what comes after it.
bool MayChangeTimeout(std::string_view sql);

}  // namespace summa::host
