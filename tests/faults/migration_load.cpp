#include "tests/faults/migration_load.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <set>
#include <stdexcept>
#include <utility>

#include "tests/e2e/summa_host.hpp"
#include "tests/faults/checker.hpp"
#include "tests/faults/observation.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using Lines = std::vector<std::string>;

constexpr int kWriters = 8, kReaders = 4, kAccounts = 40;
// Of Summa: advanced.lockTimeoutMs.
constexpr const char* kWriterSession = "SET lock_timeout = '3s'; SET ROLE load_writer";
constexpr const char* kReaderSession = "SET lock_timeout = '3s'; SET ROLE load_reader";
constexpr const char* kView = "load_event";
constexpr const char* kVerb = "migrate:partition-event-store";
constexpr int kTryLater = 75, kMostAttempts = 20;
// Ends what hangs; says nothing about how long it takes.
constexpr std::chrono::hours kLongestVerb{6};

constexpr const char* kPrepare = R"sql(
DO $do$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['load_writer', 'load_reader'] LOOP
    IF to_regrole(name) IS NULL THEN EXECUTE 'CREATE ROLE ' || name; END IF;
  END LOOP;
END $do$;
GRANT USAGE ON SCHEMA public, fixture TO load_writer, load_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, fixture TO load_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, fixture TO load_writer;
GRANT SELECT ON ledger_event TO load_reader WITH GRANT OPTION;
GRANT UPDATE (event_type) ON ledger_event TO load_reader;
COMMENT ON TABLE ledger_event IS 'what happened';
CREATE VIEW load_event WITH (security_barrier) AS
  SELECT sequence_number, aggregate_type, aggregate_id, aggregate_version, hash, prev_hash FROM ledger_event;
GRANT SELECT ON load_event TO load_reader;
)sql";

// Each is refused; whoever refuses it may change, how it is refused may not.
constexpr const char* kRefused[] = {
    "INSERT INTO outbox (event_id, topic, payload) VALUES (gen_random_uuid(), 'refused', '{}')",
    "INSERT INTO ledger_event (id, aggregate_type, aggregate_id, aggregate_version, event_type, "
    "event_data, correlation_id, hash) SELECT id, 'refused', gen_random_uuid(), 1, event_type, "
    "event_data, correlation_id, hash FROM (SELECT * FROM ledger_event ORDER BY sequence_number "
    "LIMIT 1) e",
    "INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
    "event_data, correlation_id, hash) SELECT aggregate_type, aggregate_id, 1, event_type, "
    "event_data, correlation_id, hash FROM (SELECT * FROM ledger_event ORDER BY sequence_number "
    "LIMIT 1) e",
    "INSERT INTO ledger_event (sequence_number, aggregate_type, aggregate_id, aggregate_version, "
    "event_type, event_data, correlation_id, hash) SELECT sequence_number, 'refused', "
    "gen_random_uuid(), 1, event_type, event_data, correlation_id, hash FROM (SELECT * FROM "
    "ledger_event ORDER BY sequence_number LIMIT 1) e"};

// The SQLSTATE and, of a foreign key, its name.
std::string Refusal(Db& db, const std::string& statement) {
  db.Execute("BEGIN");
  std::string refusal = "done";
  try {
    db.Query(statement);
  } catch (const DbError& error) {
    const std::string text = error.what();
    const bool foreign_key = error.sqlstate == "23503";
    refusal = error.sqlstate + (foreign_key ? text.substr(0, text.find('\n')) : "");
  }
  db.Execute("ROLLBACK");
  return refusal + ": " + statement;
}

Lines Without(Lines lines, const Lines& known) {
  const std::set<std::string> left_out(known.begin(), known.end());
  std::erase_if(lines, [&](const std::string& line) { return left_out.contains(line); });
  return lines;
}

void Append(Lines& lines, const Lines& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

}  // namespace

MigrationLoad::MigrationLoad(PostgresServer& server, std::string database,
                             MigrationLoadOptions options)
    : server_(server),
      database_(std::move(database)),
      url_(server.Url(database_)),
      options_(std::move(options)),
      written_(kWriters) {}

MigrationLoad::~MigrationLoad() = default;

// On a large ledger the verification has the pace and the intervals that an operator would choose.
std::string MigrationLoad::Configuration(const std::string& host) const {
  // Long enough for the exchange to find a moment without their long transactions.
  const std::string often = ": { interval: 10s, jitter: 0% }";
  const std::string schedules = "daily-reconciliation" + often + ", block-checkpoint" + often +
                                ", hash-snapshot-creator" + often + ", rolling-verification" +
                                often + ", ";
  return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\nhost: { name: " + host +
         ", listen: \"127.0.0.1:0\" }\nplugins:\n  bus-redis: { url: \"" + redis_.Url() +
         "\" }\n  outbox: { use: { bus: bus-redis } }\n  maintenance: {}\n  reconciliation: { " +
         (options_.large ? "max_rate: 100000" : "block_size: 100") + " }\nschedules: { " +
         (options_.large ? "" : schedules) + "outbox-processor: { idle_poll: 20ms } }\n";
}

RunResult MigrationLoad::Run(std::vector<std::string> words) const {
  const TemporaryFile file("summa.yaml", Configuration("operator"));
  words.insert(words.begin(), SummaHostPath());
  words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
  return RunProgram(std::move(words), CleanEnvironment(), kLongestVerb);
}

std::string MigrationLoad::Status() const {
  const RunResult run = Run({kVerb, "--status"});
  if (run.exit_code != 0) throw std::runtime_error("--status: " + run.out + run.err);
  return run.out;
}

std::string MigrationLoad::Migrate(const Lines& words, const std::string& state) const {
  Lines all = {kVerb};
  Append(all, words);
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const RunResult run = Run(all);
    if (run.exit_code != 0 && run.exit_code != kTryLater) {
      throw std::runtime_error("the migration ended with " + std::to_string(run.exit_code) + ": " +
                               run.out + run.err);
    }
    // Another host may have done it.
    std::string status = Status();
    if (JsonMember(status, "state") == state) return status;
  }
  throw std::runtime_error("the migration does not become " + state + ": " + Status());
}

void MigrationLoad::Prepare() const {
  const RunResult migrated = Run({"migrate"});
  if (migrated.exit_code != 0) throw std::runtime_error("migrate: " + migrated.err);
  EnsureAccounts(url_, kAccounts);
  Db(url_).Execute(kPrepare);
}

MigrationLoad::Inventory MigrationLoad::Take() const {
  Inventory taken;
  taken.catalog =
      server_.RunSqlFile(database_, SourceDir() + "/tests/faults/migration_inventory.sql");
  Db db(url_);
  for (const char* statement : kRefused) taken.enforced.push_back(Refusal(db, statement));
  taken.digests = db.Query(
      "SELECT sequence_number / 1000, count(*), sum(hashtextextended(e::text, 0)::numeric) FROM "
      "ledger_event e WHERE sequence_number <= $1::bigint GROUP BY 1 ORDER BY 1",
      {position_});
  return taken;
}

void MigrationLoad::Note(const Attempt& attempt) {
  if (attempt.error != nullptr) {
    errors_.Note("a writer", *attempt.error);
  } else {
    ++written_[static_cast<std::size_t>(attempt.connection)];
  }
  if (options_.on_attempt) options_.on_attempt(attempt);
}

void MigrationLoad::StartHosts() {
  for (const char* name : {"first", "second"}) {
    hosts_.push_back(std::make_unique<FaultHost>(SummaHostPath(), Configuration(name), name,
                                                 std::map<std::string, std::string>{}));
  }
  for (const auto& host : hosts_) host->WaitUntilItRuns();
}

void MigrationLoad::Start() {
  Prepare();
  Db db(url_);
  position_ = db.Value("SELECT max(sequence_number) FROM ledger_event");
  before_ = Take();
  finished_before_ = db.Column("SELECT id FROM outbox WHERE status <> 'pending'");
  if (!options_.large) violations_before_ = LedgerViolations(url_);
  StartHosts();
  AppenderOptions writing{.connections = kWriters, .accounts = kAccounts, .rate = options_.rate};
  writing.makes_up = options_.makes_up;
  writing.session = kWriterSession;
  writing.on_attempt = [this](const Attempt& attempt) { Note(attempt); };
  writers_ = std::make_unique<Appender>(url_, writing);
  readers_ = std::make_unique<LedgerReaders>(
      url_,
      ReaderOptions{
          .connections = kReaders, .accounts = kAccounts, .session = kReaderSession, .view = kView},
      errors_);
  readers_->Start();
  writers_->Start();
  WaitForMore();
}

void MigrationLoad::WaitForMore(int each) {
  const std::vector<long long> written(written_.begin(), written_.end());
  const long long read = readers_->FewestReads();
  for (std::size_t writer = 0; writer < written.size(); ++writer) {
    WaitUntil([&] { return written_[writer] >= written[writer] + each; }, kTimeout,
              "a writer; " + writers_->LastError());
  }
  WaitUntil([&] { return readers_->FewestReads() >= read + each; }, kTimeout, "a reader");
}

Lines MigrationLoad::Differences(const std::string& one, const std::string& other) const {
  Db db(url_);
  db.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  Lines lines;
  for (const auto& [has, lacks] : {std::pair(one, other), std::pair(other, one)}) {
    for (const std::string& row :
         db.Column("SELECT d::text FROM (SELECT * FROM " + has + " EXCEPT ALL SELECT * FROM " +
                   lacks + ") d LIMIT 10")) {
      lines.push_back("only " + has + " has " + row);
    }
  }
  return lines;
}

// What waits becomes less, however slowly.
bool MigrationLoad::Drains() const {
  Db db(url_);
  const auto pending = [&] {
    return db.Count("SELECT count(*) FROM outbox WHERE status = 'pending'");
  };
  for (long long before = pending(); before > 0; before = pending()) {
    if (!BecomesTrue([&] { return pending() < before; })) return false;
  }
  return true;
}

void MigrationLoad::StopHosts(Lines& lines) {
  for (const auto& host : hosts_) Append(lines, Round::StopHost(*host));
  hosts_.clear();
}

void MigrationLoad::CheckDelivery(Lines& lines) const {
  ObserveOptions options;
  options.ledger_url = url_;
  options.redis_url = redis_.Url();
  if (options_.large) options.only_after = std::stoll(position_);
  Observation seen = Observe(options, writers_->Ids());
  // What Summa itself had delivered, or given up, is none of these hosts' work.
  const std::set<std::string> finished(finished_before_.begin(), finished_before_.end());
  std::erase_if(seen.rows, [&](const OutboxRecord& row) { return finished.contains(row.id); });
  seen.ledger_violations = Without(seen.ledger_violations, violations_before_);
  Append(lines, Violations(seen));
}

// The events of the writers, with every byte.
void MigrationLoad::CheckEvents(Lines& lines) const {
  const AppendedIds appended = writers_->Ids();
  std::set<std::string> found;
  for (const Row& row : Db(url_).Query("SELECT id, md5(e::text) FROM ledger_event e WHERE "
                                       "sequence_number > $1::bigint",
                                       {position_})) {
    const auto digest = appended.digests.find(row[0]);
    if (!found.insert(row[0]).second) {
      lines.push_back("event " + row[0] + " is there twice");
    } else if (digest == appended.digests.end()) {
      if (!appended.maybe_events.contains(row[0])) lines.push_back("nobody wrote event " + row[0]);
    } else if (digest->second != row[1]) {
      lines.push_back("event " + row[0] + " is not what was acknowledged");
    }
  }
  for (const auto& [id, digest] : appended.digests) {
    if (!found.contains(id)) lines.push_back("acknowledged event " + id + " is gone");
  }
}

void MigrationLoad::CheckVerdicts(Lines& lines) const {
  Lines verify = {"verify", "all"};
  if (!options_.large) verify.emplace_back("--full");
  for (const Lines& words : {verify, Lines{"reconcile"}}) {
    const RunResult run = Run(words);
    if (run.exit_code != 0) lines.push_back(words[0] + " says " + run.out + run.err);
  }
  for (const Row& row :
       Db(url_).Query("SELECT part, finding::text FROM summa_host.finding LIMIT 10")) {
    lines.push_back("a host found in " + row[0] + ": " + row[1]);
  }
}

Lines MigrationLoad::Finish() {
  writers_->Stop();
  readers_->Stop();
  Lines lines = errors_.Others();
  Append(lines, readers_->Surprises());
  if (!Drains()) lines.push_back("the outbox does not become empty; " + hosts_[0]->Log());
  StopHosts(lines);
  CheckDelivery(lines);
  CheckEvents(lines);
  const Inventory after = Take();
  if (after.catalog != before_.catalog) {
    lines.push_back("before: " + before_.catalog + "\nafter: " + after.catalog);
  }
  for (const std::string& line : Without(after.enforced, before_.enforced)) {
    lines.push_back("before it was refused otherwise: " + line);
  }
  for (std::size_t i = 0; i < std::max(before_.digests.size(), after.digests.size()); ++i) {
    if (i < before_.digests.size() && i < after.digests.size() &&
        before_.digests[i] == after.digests[i]) {
      continue;
    }
    lines.push_back("the events of thousand " + std::to_string(i) + " are others than before");
  }
  CheckVerdicts(lines);
  return lines;
}

}  // namespace summa::test
