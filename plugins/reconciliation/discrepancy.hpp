// What checks found.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "verify/finding.hpp"

namespace summa::reconciliation {

// One finding. `step`: Summa's name of the check where it has one.
struct Discrepancy : verify::Finding {
  std::string detail;  // JSON object in the shape of Summa's mismatches; empty: Summa has none
};

// The most findings that are kept of one run; all are counted. A ledger in which everything is
// wrong must not fill the memory, or the row that tells of it.
inline constexpr std::size_t kMaxFindings = 1000;

// Findings of one kind of check: all counted, the first kept.
class Findings {
 public:
  Findings() = default;
  Findings(std::int64_t count, std::vector<Discrepancy> kept)
      : count_(count), kept_(std::move(kept)) {}
  void Add(Discrepancy finding) {
    ++count_;
    if (kept_.size() < kMaxFindings) kept_.push_back(std::move(finding));
  }
  void Add(const Findings& more) {
    for (const Discrepancy& finding : more.kept_) Add(finding);
    Count(more.count_ - static_cast<std::int64_t>(more.kept_.size()));
  }
  // Of a level of the verification: `count` findings, of which the first are kept.
  void Add(const std::vector<verify::Finding>& found, std::int64_t count) {
    for (const verify::Finding& finding : found) Add({finding, ""});
    Count(count - static_cast<std::int64_t>(found.size()));
  }
  // Found, but not each by itself.
  void Count(std::int64_t more) { count_ += more; }
  std::int64_t count() const { return count_; }
  const std::vector<Discrepancy>& kept() const { return kept_; }
  bool empty() const { return count_ == 0; }

 private:
  std::int64_t count_ = 0;
  std::vector<Discrepancy> kept_;
};

// Steps 0, 0b, 0c, 1 and 2, of all accounts or of some.
struct BooksReport {
  Findings transactions, duplicates, order, accounts, system_accounts;
  std::int64_t accounts_checked = 0, system_accounts_checked = 0, entries = 0;

  void Add(const BooksReport& more) {
    transactions.Add(more.transactions);
    duplicates.Add(more.duplicates);
    order.Add(more.order);
    accounts.Add(more.accounts);
    system_accounts.Add(more.system_accounts);
    accounts_checked += more.accounts_checked;
    system_accounts_checked += more.system_accounts_checked;
    entries += more.entries;
  }
};

}  // namespace summa::reconciliation
