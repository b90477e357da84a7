// Routes reads of some models to read models, and everything else to the ledger: the CQRS adapter
// of Summa's plan, with the phases in which a program moves over.
//
//   summa::CqrsAdapter adapter({.write = &ledger, .read = &read_models,
//                               .read_models = {"account_balance"},
//                               .phase = summa::ReadPhase::kShadowRead});
//   adapter.FindOne({.model = "account_balance", .where = {{"id", id}}});   // the ledger answers
//   adapter.GoTo(summa::ReadPhase::kCutover);    // SH-0143 when the answers were not the same
#pragma once

#include <summa/adapter.hpp>
#include <summa/mutex.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

namespace summa {

enum class ReadPhase {
  kDualWrite,   // the ledger answers; some answers are compared
  kShadowRead,  // the ledger answers; every answer is compared
  kCutover,     // the read model answers; some answers are compared
  kCleanup      // the read model answers, and the ledger is not asked
};

// How an answer of the read model differs from that of the ledger.
enum class DifferenceKind {
  kBehind,    // only until the read model had caught up: no reason to worry
  kMissing,   // the ledger has a row that the read model has not
  kExtra,     // the read model has a row that the ledger has not
  kDifferent  // both have the row, with other values
};
inline constexpr std::size_t kDifferenceKinds = 4;

constexpr const char* NameOf(DifferenceKind kind) {
  constexpr std::array<const char*, kDifferenceKinds> kNames = {"behind", "missing", "extra",
                                                                "different"};
  return kNames[static_cast<std::size_t>(kind)];
}

// Of the comparisons since the latest Forget().
struct ReadComparisons {
  std::int64_t compared = 0;
  std::array<std::int64_t, kDifferenceKinds> by_kind{};

  std::int64_t Of(DifferenceKind kind) const { return by_kind[static_cast<std::size_t>(kind)]; }
  // Those that do not pass by themselves.
  std::int64_t Lasting() const {
    return Of(DifferenceKind::kMissing) + Of(DifferenceKind::kExtra) +
           Of(DifferenceKind::kDifferent);
  }
};

struct ReadDifference {
  DifferenceKind kind;
  const Query* query;
  std::string key;     // of the row
  std::string column;  // of kDifferent
  std::string ledger, read_model;
};

struct CqrsOptions {
  Adapter* write = nullptr;  // both are borrowed
  Adapter* read = nullptr;
  std::set<std::string> read_models = {};
  ReadPhase phase = ReadPhase::kDualWrite;
  // One in so many answers is compared, in dual-write and cutover.
  int compare_one_in = 100;
  std::string key = "id";  // the column by which rows are the same
  // Not compared: a read model has its own.
  std::set<std::string> ignored_columns = {"position", "updated_at", "created_at"};
  // Waits until the read models contain what the ledger has now; false: they have not caught up in
  // time. Without it, an answer that is only behind counts as a difference.
  std::function<bool()> catch_up = {};
  std::function<void(const ReadDifference&)> on_difference = {};
};

enum class Consistency { kEventual, kStrong };

// Calls are as thread-safe as those of the two adapters; GoTo() and comparisons() are.
class CqrsAdapter final : public Adapter {
 public:
  explicit CqrsAdapter(CqrsOptions options)
      : options_(std::move(options)), phase_(options_.phase) {}

  std::vector<Record> FindMany(const Query& query) override {
    return FindMany(query, Consistency::kEventual);
  }
  std::vector<Record> FindMany(const Query& query, Consistency consistency) {
    if (!options_.read_models.contains(query.model) || consistency == Consistency::kStrong) {
      return options_.write->FindMany(query);
    }
    const auto [phase, compare] = Turn();
    const bool from_read = phase == ReadPhase::kCutover || phase == ReadPhase::kCleanup;
    std::vector<Record> answer = (from_read ? options_.read : options_.write)->FindMany(query);
    if (compare) {
      const std::vector<Record> other =
          (from_read ? options_.write : options_.read)->FindMany(query);
      Compare(query, from_read ? other : answer, from_read ? answer : other);
    }
    return answer;
  }

  Record Create(const std::string& model, const Record& row) override {
    return options_.write->Create(model, row);
  }
  std::int64_t Update(const std::string& model, const std::vector<Condition>& where,
                      const Record& changes) override {
    return options_.write->Update(model, where, changes);
  }
  std::int64_t Delete(const std::string& model, const std::vector<Condition>& where) override {
    return options_.write->Delete(model, where);
  }
  // Reads within it are of the ledger, too: a decision must not rest on what may be behind.
  void Transaction(const std::function<void(Adapter&)>& body) override {
    options_.write->Transaction(body);
  }

  ReadPhase phase() const {
    const MutexLock lock(mutex_);
    return phase_;
  }
  ReadComparisons comparisons() const {
    const MutexLock lock(mutex_);
    return comparisons_;
  }
  // After the cause of differences was repaired: what was counted is of no interest any more.
  void Forget() {
    const MutexLock lock(mutex_);
    comparisons_ = {};
  }

  // Back at any time. Forward only one phase at a time, after comparisons, and when none of them
  // has found a difference that lasts; else SH-0143, and the phase stays.
  void GoTo(ReadPhase phase) {
    const MutexLock lock(mutex_);
    const int steps = static_cast<int>(phase) - static_cast<int>(phase_);
    if (steps > 0) RequireSound(steps);
    if (steps != 0) comparisons_ = {};
    phase_ = phase;
  }

 private:
  std::pair<ReadPhase, bool> Turn() {
    const MutexLock lock(mutex_);
    if (phase_ == ReadPhase::kCleanup) return {phase_, false};
    const bool sampled = reads_++ % std::max(1, options_.compare_one_in) == 0;
    return {phase_, phase_ == ReadPhase::kShadowRead || sampled};
  }

  void RequireSound(int steps) const SUMMA_REQUIRES(mutex_) {
    std::string reason;
    if (steps > 1) {
      reason = "a phase must not be left out";
    } else if (comparisons_.compared == 0) {
      reason = "no answers were compared in this phase";
    } else if (comparisons_.Lasting() > 0) {
      reason = "of " + std::to_string(comparisons_.compared) + " answers of the read models";
      for (const DifferenceKind kind :
           {DifferenceKind::kMissing, DifferenceKind::kExtra, DifferenceKind::kDifferent}) {
        reason += ", " + std::to_string(comparisons_.Of(kind)) + " rows were " + NameOf(kind);
      }
    }
    if (reason.empty()) return;
    throw Error(SUMMA_E_TRY_LATER, "SH-0143", "the next phase cannot begin: " + reason,
                "Compare more, or repair what differs and call Forget()");
  }

  using Differences = std::vector<ReadDifference>;

  void Compare(const Query& query, const std::vector<Record>& ledger,
               const std::vector<Record>& read_model) {
    Differences found = Differ(query, ledger, read_model);
    // Both again: the ledger may have gone on as well.
    if (!found.empty() && options_.catch_up && options_.catch_up()) {
      const std::vector<Record> now = options_.write->FindMany(query);
      Differences lasting = Differ(query, now, options_.read->FindMany(query));
      if (lasting.empty()) {
        for (ReadDifference& difference : found) difference.kind = DifferenceKind::kBehind;
      } else {
        found = std::move(lasting);
      }
    }
    {
      const MutexLock lock(mutex_);
      ++comparisons_.compared;
      for (const ReadDifference& difference : found) {
        ++comparisons_.by_kind[static_cast<std::size_t>(difference.kind)];
      }
    }
    if (!options_.on_difference) return;
    for (const ReadDifference& difference : found) options_.on_difference(difference);
  }

  Differences Differ(const Query& query, const std::vector<Record>& ledger,
                     const std::vector<Record>& read_model) const {
    Differences found;
    const auto keyed = [&](const std::vector<Record>& rows) {
      std::map<std::string, const Record*> result;
      for (const Record& row : rows) {
        const auto key = row.find(options_.key);
        const bool has_key = key != row.end() && key->second;
        result[has_key ? *key->second : "row " + std::to_string(result.size() + 1)] = &row;
      }
      return result;
    };
    const auto of_ledger = keyed(ledger), of_read_model = keyed(read_model);
    for (const auto& [key, row] : of_ledger) {
      const auto other = of_read_model.find(key);
      if (other == of_read_model.end()) {
        found.push_back({DifferenceKind::kMissing, &query, key, "", "", ""});
      } else {
        DifferRow(query, key, *row, *other->second, found);
      }
    }
    for (const auto& [key, row] : of_read_model) {
      if (of_ledger.contains(key)) continue;
      found.push_back({DifferenceKind::kExtra, &query, key, "", "", ""});
    }
    return found;
  }
  // The first column that both have and that differs.
  void DifferRow(const Query& query, const std::string& key, const Record& ledger,
                 const Record& read_model, Differences& found) const {
    for (const auto& [column, value] : ledger) {
      const auto other = read_model.find(column);
      if (other == read_model.end() || options_.ignored_columns.contains(column)) continue;
      if (value == other->second) continue;
      found.push_back({DifferenceKind::kDifferent, &query, key, column, value.value_or("NULL"),
                       other->second.value_or("NULL")});
      return;
    }
  }

  const CqrsOptions options_;
  mutable Mutex mutex_;
  ReadPhase phase_ SUMMA_GUARDED_BY(mutex_);
  ReadComparisons comparisons_ SUMMA_GUARDED_BY(mutex_);
  std::int64_t reads_ SUMMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace summa
