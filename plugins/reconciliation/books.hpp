// Steps 0, 0b, 0c, 1 and 2 of Summa's reconciliation: do entries, balances, holds and system
// accounts agree? All of them in one pass over entry_record, in any order of its rows and in
// bounded memory:
//
//   0   every transaction has as much credit as debit: a sum over all entries, each multiplied with
//       a secret number of its transaction, is zero. What is unequal makes it differ.
//   0b  no entry is there twice: the entries' fingerprints are all different, or the record itself
//       names one destination more than once, and versions, balances and sums agree with that.
//   0c  along the versions of an account each entry begins with the balance that the one before
//       left.
//   1   the balances of each account are the sums of its entries, its reserved amount that of its
//       holds.
//   2   the entries of a system account are its balance and what is still to be added to it.
//
// When one of these says no, one statement of SQL says what exactly is wrong.
#pragma once

#include <optional>
#include <string>
#include <summa/sql.hpp>

#include "discrepancy.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct BooksPass {
  BooksReport report;
  std::optional<Uuid> through;  // accounts with an id up to this are done; none: all are
};

// The most accounts of one pass: about 100 bytes each.
inline constexpr std::int64_t kAccountsInPass = 300'000;

// The accounts with an id above `after` (none: from the first on), at most `accounts_in_pass`; the
// first pass does steps 0, 0b and 2 as well. The session is in a transaction with one snapshot.
// Throws what the session throws, SH-0705 when told to stop, SH-0706 without room for temporary
// data.
BooksPass CheckBooks(Session& session, Work& work, const std::optional<Uuid>& after,
                     std::int64_t accounts_in_pass = kAccountsInPass);

}  // namespace summa::reconciliation
