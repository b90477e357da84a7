#include "tests/faults/ledger_readers.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

namespace summa::test {
namespace {

// Between two reads: readers are many, but leave the cores to the others.
constexpr std::chrono::milliseconds kPause{20};
constexpr std::size_t kMostSurprises = 20;
constexpr const char* kPageRows = "100";
// Aggregates of the oldest and of the newest events, so that all partitions are read.
constexpr const char* kAggregates =
    "SELECT DISTINCT aggregate_type, aggregate_id FROM ((SELECT aggregate_type, aggregate_id FROM "
    "ledger_event ORDER BY sequence_number LIMIT 500) UNION ALL (SELECT aggregate_type, "
    "aggregate_id FROM ledger_event ORDER BY sequence_number DESC LIMIT 500)) e";

struct Statement {
  const char* name;
  const char* types;
  const char* sql;  // TABLE: where it reads
};
constexpr Statement kLatest{
    "latest", "text, uuid",
    "SELECT aggregate_version FROM TABLE WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY "
    "aggregate_version DESC LIMIT 1"};
constexpr Statement kChain{
    "chain", "text, uuid",
    "SELECT aggregate_version, hash, prev_hash FROM TABLE WHERE aggregate_type = $1 AND "
    "aggregate_id = $2 ORDER BY aggregate_version"};
constexpr Statement kSince{
    "since", "bigint, integer",
    "SELECT sequence_number, hash FROM TABLE WHERE sequence_number > $1 ORDER BY sequence_number "
    "LIMIT $2"};

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

}  // namespace

void SeenErrors::Note(const std::string& who, const DbError& error) {
  const std::lock_guard lock(mutex_);
  if (error.IsRetryable()) {
    ++retryable_[error.sqlstate];
  } else if (others_.size() < kMostSurprises) {
    others_.push_back(who + " saw " + error.sqlstate + " " + error.what());
  }
}

std::map<std::string, long long> SeenErrors::Retryable() const {
  const std::lock_guard lock(mutex_);
  return retryable_;
}

std::vector<std::string> SeenErrors::Others() const {
  const std::lock_guard lock(mutex_);
  return others_;
}

// One of the readers, with its connection.
class LedgerReader {
 public:
  LedgerReader(LedgerReaders& all, int number)
      : all_(all),
        prepared_(number % 2 == 1),
        table_(number % 4 < 2 ? "ledger_event" : all.options_.view),
        name_(std::string(prepared_ ? "a prepared" : "a plain") + " reader of " + table_),
        db_(all.url_),
        random_(static_cast<unsigned>(number + 1)) {
    db_.Execute(all.options_.session);
    if (!prepared_) return;
    db_.Execute("SET plan_cache_mode = force_generic_plan");
    for (const Statement& statement : {kLatest, kChain, kSince}) {
      db_.Execute(std::string("PREPARE ") + statement.name + " (" + statement.types + ") AS " +
                  Replaced(statement.sql, "TABLE", table_));
    }
  }

  const std::string& name() const { return name_; }
  void Read(long long turn) {
    switch (turn % 4) {
      case 0:
        return ReadLatest(Pick());
      case 1:
        return ReadChain(Pick());
      case 2:
        return ReadSince();
      default:
        return ReadUnderSnapshot(Pick());
    }
  }
  // After an error: a lost connection throws.
  void Recover() { db_.Execute("ROLLBACK"); }

 private:
  const LedgerReaders::Aggregate& Pick() {
    return all_.aggregates_[random_() % all_.aggregates_.size()];
  }
  // Values without quotes.
  Rows Ask(const Statement& statement, const std::vector<std::string>& values) {
    std::string text = prepared_ ? "EXECUTE " + std::string(statement.name) + " (" : statement.sql;
    if (!prepared_) text = Replaced(text, "TABLE", table_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string literal = "'" + values[i] + "'";
      if (prepared_) {
        text += (i > 0 ? ", " : "") + literal;
      } else {
        text = Replaced(text, "$" + std::to_string(i + 1), literal);
      }
    }
    return db_.Query(prepared_ ? text + ")" : text);
  }
  void Surprise(const std::string& what) { all_.NoteSurprise(name_ + ": " + what); }

  // A chain only grows.
  void Expect(const LedgerReaders::Aggregate& aggregate, long long version) {
    long long& seen = seen_[aggregate.type + " " + aggregate.id];
    if (version < seen) {
      Surprise("the latest version of " + aggregate.type + " " + aggregate.id + " went from " +
               std::to_string(seen) + " to " + std::to_string(version));
    }
    seen = std::max(seen, version);
  }
  void ReadLatest(const LedgerReaders::Aggregate& aggregate) {
    const Rows rows = Ask(kLatest, {aggregate.type, aggregate.id});
    Expect(aggregate, rows.empty() ? 0 : std::stoll(rows[0][0]));
  }
  void ReadChain(const LedgerReaders::Aggregate& aggregate) {
    const Rows rows = Ask(kChain, {aggregate.type, aggregate.id});
    std::string previous = kNull;
    long long version = 0;
    for (const Row& row : rows) {
      if (std::stoll(row[0]) != ++version || row[2] != previous) {
        Surprise("the chain of " + aggregate.type + " " + aggregate.id + " is torn at version " +
                 row[0]);
        return;
      }
      previous = row[1];
    }
    Expect(aggregate, version);
  }
  void ReadSince() {
    if (Ask(kSince, {all_.position_, kPageRows}) != all_.page_) {
      Surprise("the events since position " + all_.position_ + " are others than before");
    }
  }
  // The snapshot is older than the first look at the table, which may be exchanged in between.
  void ReadUnderSnapshot(const LedgerReaders::Aggregate& aggregate) {
    db_.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    db_.Query("SELECT pg_current_snapshot()");
    ReadChain(aggregate);
    ReadSince();
    db_.Execute("COMMIT");
  }

  LedgerReaders& all_;
  const bool prepared_;
  const std::string table_, name_;
  Db db_;
  std::minstd_rand random_;
  std::map<std::string, long long> seen_;
};

LedgerReaders::LedgerReaders(std::string url, ReaderOptions options, SeenErrors& errors)
    : url_(std::move(url)),
      options_(std::move(options)),
      errors_(errors),
      reads_(static_cast<std::size_t>(options_.connections)) {}

LedgerReaders::~LedgerReaders() { Stop(); }

void LedgerReaders::ChooseWhatIsRead() {
  Db db(url_);
  for (Row& row : db.Query(kAggregates)) aggregates_.push_back({row[0], row[1]});
  for (const std::string& id :
       db.Column("SELECT fixture.account_id(n) FROM generate_series(1, $1::integer) n",
                 {std::to_string(options_.accounts)})) {
    aggregates_.push_back({"account", id});
  }
  // Full, so that later events do not join it.
  position_ = db.Value(
      "SELECT min(sequence_number) - 1 FROM (SELECT sequence_number FROM ledger_event ORDER BY "
      "sequence_number DESC LIMIT $1::integer) e",
      {kPageRows});
  page_ = db.Query(
      "SELECT sequence_number, hash FROM ledger_event WHERE sequence_number > $1::bigint ORDER BY "
      "sequence_number",
      {position_});
}

void LedgerReaders::Start() {
  if (!threads_.empty()) return;
  ChooseWhatIsRead();
  stopping_ = false;
  for (int i = 0; i < options_.connections; ++i) threads_.emplace_back([this, i] { Work(i); });
}

void LedgerReaders::Stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void LedgerReaders::Work(int number) {
  std::string name = "a reader";
  try {
    LedgerReader reader(*this, number);
    name = reader.name();
    for (long long turn = 0; !stopping_; ++turn) {
      try {
        reader.Read(turn);
      } catch (const DbError& error) {
        errors_.Note(name, error);
        reader.Recover();
      }
      ++reads_[static_cast<std::size_t>(number)];
      std::this_thread::sleep_for(kPause);
    }
  } catch (const DbError& error) {
    errors_.Note(name, error);
  }
}

long long LedgerReaders::FewestReads() const {
  return std::min_element(reads_.begin(), reads_.end(),
                          [](const auto& a, const auto& b) { return a.load() < b.load(); })
      ->load();
}

void LedgerReaders::NoteSurprise(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (surprises_.size() < kMostSurprises) surprises_.push_back(text);
}

std::vector<std::string> LedgerReaders::Surprises() const {
  const std::lock_guard lock(mutex_);
  return surprises_;
}

}  // namespace summa::test
