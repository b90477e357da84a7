#include "late_event.hpp"

#include <algorithm>
#include <map>
#include <summa/ledger/hash.hpp>

namespace summa::verify {
namespace {

// Hash states are kept after every so many rows; a trial starts from the nearest one.
constexpr std::size_t kRowsPerState = 128;
// Of two transactions, only so many of the latest are paired with each other.
constexpr std::size_t kMaxPaired = 64;

using Rows = std::vector<std::size_t>;  // ascending

class Search {
 public:
  Search(const std::vector<SealedRow>& rows, std::string_view events_hash)
      : rows_(rows), events_hash_(events_hash) {
    ledger::Hasher hasher;
    states_.reserve(rows.size() / kRowsPerState + 1);
    for (std::size_t at = 0; at < rows.size(); ++at) {
      if (at % kRowsPerState == 0) states_.push_back(hasher.Fork());
      hasher.Add(rows[at].hash);
    }
  }

  // Whether the block is what remains without these rows.
  bool Fits(const Rows& without) {
    const std::size_t state = without[0] / kRowsPerState;
    ledger::Hasher hasher = states_[state].Fork();
    auto skip = without.begin();
    for (std::size_t at = state * kRowsPerState; at < rows_.size(); ++at) {
      if (skip != without.end() && *skip == at) {
        ++skip;
        continue;
      }
      hasher.Add(rows_[at].hash);
      hashed_bytes_ += static_cast<std::int64_t>(rows_[at].hash.size());
    }
    return hasher.Finish() == events_hash_;
  }
  bool exhausted() const { return hashed_bytes_ > kMaxHashedBytes; }

 private:
  const std::vector<SealedRow>& rows_;
  const std::string_view events_hash_;
  std::vector<ledger::Hasher> states_;
  std::int64_t hashed_bytes_ = 0;
};

// Rows by transaction, those that begin last first: a late event is most often a recent one.
std::vector<Rows> Transactions(const std::vector<SealedRow>& rows, std::size_t largest) {
  std::map<std::int64_t, Rows> by_time;
  for (std::size_t at = 0; at < rows.size(); ++at) by_time[rows[at].created_at].push_back(at);
  std::vector<Rows> transactions;
  transactions.reserve(by_time.size());
  for (auto& [time, members] : by_time) {
    if (members.size() <= largest) transactions.push_back(std::move(members));
  }
  std::sort(transactions.begin(), transactions.end(),
            [](const Rows& a, const Rows& b) { return a[0] > b[0]; });
  return transactions;
}

Rows Merged(const Rows& a, const Rows& b) {
  Rows both;
  both.reserve(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

}  // namespace

std::optional<Rows> FindLate(const std::vector<SealedRow>& rows, std::size_t count,
                             std::string_view events_hash) {
  if (count == 0 || count > rows.size()) return std::nullopt;
  Search search(rows, events_hash);
  const std::vector<Rows> transactions = Transactions(rows, count);
  for (const Rows& one : transactions) {
    if (one.size() == count && search.Fits(one)) return one;
    if (search.exhausted()) return std::nullopt;
  }
  const std::size_t paired = std::min(transactions.size(), kMaxPaired);
  for (std::size_t i = 0; i < paired; ++i) {
    for (std::size_t j = i + 1; j < paired; ++j) {
      if (transactions[i].size() + transactions[j].size() != count) continue;
      Rows both = Merged(transactions[i], transactions[j]);
      if (search.Fits(both)) return both;
      if (search.exhausted()) return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace summa::verify
