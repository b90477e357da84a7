#include "tests/bench/partition_data.hpp"

#include "host/database/control_plane.hpp"
#include "tests/bench/report.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"

namespace summa::bench {
namespace {

// As the plan copies.
constexpr long long kBatchRows = 50'000;

// Canonical JSON already, so that the server can hash it as a text.
constexpr char kData[] = R"({"amount":100,"category":"credit","destination":"holder_000001",)"
                         R"("reference":"bench","source":"@World"})";

constexpr char kSpan[] =
    "(now() - (date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - ($2::integer - "
    "1) * interval '1 month'))";

// $1 aggregates, $2 months, $3 data.
std::string FirstEvents() {
  return "INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
         "event_data, correlation_id, hash, created_at) SELECT 'transaction', " +
         AggregateId("n") +
         ", 1, 'TransactionPosted', $3::text::jsonb, gen_random_uuid(), "
         "encode(sha256(convert_to($3::text, 'UTF8')), 'hex'), now() - " +
         kSpan + " + n * (" + kSpan + " / ($1::bigint * " + std::to_string(kVersions) +
         ")) FROM generate_series(1, $1::bigint) n";
}

// $1 the version before, $2 months, $3 data.
std::string NextEvents() {
  return "INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
         "event_data, correlation_id, hash, prev_hash, created_at) SELECT aggregate_type, "
         "aggregate_id, aggregate_version + 1, event_type, event_data, gen_random_uuid(), "
         "encode(sha256(convert_to(hash || $3::text, 'UTF8')), 'hex'), hash, created_at + " +
         std::string(kSpan) + " / " + std::to_string(kVersions) +
         " FROM ledger_event WHERE aggregate_type = 'transaction' AND aggregate_version = "
         "$1::integer ORDER BY sequence_number";
}

std::string List(test::Db& db) {
  return db.Value(
      "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE "
      "attrelid = 'ledger_event'::regclass AND attnum > 0 AND NOT attisdropped");
}

std::string MakeEmptyLedger(test::PostgresServer& server, const std::string& name) {
  host::DatabaseSettings settings;
  settings.url = test::InstallLedger(server, name);
  host::ControlPlane(settings).Migrate(test::StepsWith({"maintenance", "outbox"}));
  return settings.url;
}

// A table with all events takes the place of ledger_event, and its sequence.
void PutInPlace(test::Db& db, const std::string& table) {
  db.Execute(
      "ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY " + table +
      ".sequence_number; SET client_min_messages = warning; DROP TABLE ledger_event CASCADE; "
      "ALTER TABLE " +
      table + " RENAME TO ledger_event");
}

// The first of so many months up to now.
std::string BeginOf(int months) {
  return "(date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - " +
         std::to_string(months - 1) + " * interval '1 month')";
}

// The data is the same in every event, so every aggregate has the same hashes.
std::string LargeHistory(long long aggregates, const std::string& begin) {
  const std::string all = std::to_string(aggregates), data = "'" + std::string(kData) + "'";
  return "WITH RECURSIVE chain (version, hash, previous) AS (SELECT 1, "
         "encode(sha256(convert_to(" +
         data +
         ", 'UTF8')), 'hex'), NULL::text UNION ALL SELECT version + 1, "
         "encode(sha256(convert_to(hash || " +
         data + ", 'UTF8')), 'hex'), hash FROM chain WHERE version < " + std::to_string(kVersions) +
         ") INSERT INTO loaded (aggregate_type, aggregate_id, aggregate_version, event_type, "
         "event_data, correlation_id, hash, prev_hash, created_at) SELECT 'transaction', " +
         AggregateId("n") + ", version, 'TransactionPosted', " + data +
         "::jsonb, gen_random_uuid(), hash, previous, " + begin + " + (now() - " + begin +
         ") * (((version - 1) * " + all + "::float8 + n) / (" + all + " * " +
         std::to_string(kVersions) + ")) FROM chain CROSS JOIN LATERAL generate_series(1, " + all +
         ") n";
}

// What a migration does, in one go.
void GuardLargeHistory(test::Db& db) {
  db.Execute(
      "ALTER TABLE summa_host.ledger_event_key DROP CONSTRAINT ledger_event_key_pkey, DROP "
      "CONSTRAINT ledger_event_key_position_key");
  db.Execute(
      "INSERT INTO summa_host.ledger_event_key (id, position, created_at) SELECT id, "
      "sequence_number, created_at FROM ledger_event");
  db.Execute("ALTER TABLE summa_host.ledger_event_key ADD PRIMARY KEY (id), ADD UNIQUE (position)");
  db.Execute(
      "INSERT INTO summa_host.ledger_event_head (aggregate_type, aggregate_id, version, hash, "
      "created_at) SELECT aggregate_type, aggregate_id, aggregate_version, hash, created_at FROM "
      "ledger_event WHERE aggregate_type = 'transaction' AND aggregate_version = " +
      std::to_string(kVersions) +
      " UNION ALL (SELECT DISTINCT ON (aggregate_type, aggregate_id) aggregate_type, "
      "aggregate_id, aggregate_version, hash, created_at FROM ledger_event WHERE aggregate_type <> "
      "'transaction' ORDER BY aggregate_type, aggregate_id, aggregate_version DESC)");
  db.Execute(
      "SELECT summa_host.make_ledger_event_guard('ledger_event', "
      "'uq_ledger_event_aggregate_version', 'ledger_event_pkey', "
      "'ledger_event_sequence_number_unique'), "
      "summa_host.install_ledger_event_guard('ledger_event')");
}

}  // namespace

std::string AggregateId(const std::string& number) {
  return "md5('bench-' || " + number + ")::uuid";
}

std::string MakeHistory(test::PostgresServer& server, const std::string& name, long long rows,
                        int months) {
  const std::string url = MakeEmptyLedger(server, name);
  test::Db db(url);
  const std::string number = std::to_string(months);
  db.Query(FirstEvents(), {std::to_string(rows / kVersions), number, kData});
  for (long long version = 1; version < kVersions; ++version) {
    db.Query(NextEvents(), {std::to_string(version), number, kData});
  }
  test::EnsureAccounts(url, 20);
  db.Execute("VACUUM (FREEZE, ANALYZE)");
  return url;
}

std::vector<std::string> MakeLeaves(test::Db& db, const std::string& table,
                                    const std::string& first, const std::string& last) {
  db.Execute("CREATE TABLE " + table +
             " (LIKE ledger_event INCLUDING DEFAULTS) PARTITION BY RANGE (created_at)");
  db.Execute(
      "DO $$ DECLARE month timestamp; BEGIN "
      "FOR month IN SELECT generate_series(date_trunc('month', " +
      first + " AT TIME ZONE 'UTC'), " + last +
      " AT TIME ZONE 'UTC', interval '1 month') LOOP "
      "EXECUTE format('CREATE TABLE %I PARTITION OF " +
      table + " FOR VALUES FROM (%L) TO (%L)', '" + table +
      "_' || to_char(month, 'YYYY_MM'), month AT TIME ZONE 'UTC', (month + interval '1 month') AT "
      "TIME ZONE 'UTC'); END LOOP; END $$");
  return db.Column(
      "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1",
      {table});
}

void IndexLeaves(test::Db& db, const std::vector<std::string>& leaves) {
  for (const std::string& leaf : leaves) {
    db.Execute("ALTER TABLE " + leaf + " ADD PRIMARY KEY (id), ADD UNIQUE (sequence_number)");
    db.Execute("CREATE UNIQUE INDEX ON " + leaf +
               " (aggregate_type, aggregate_id, aggregate_version)");
    db.Execute("CREATE INDEX ON " + leaf + " (aggregate_type, aggregate_id)");
    db.Execute("CREATE INDEX ON " + leaf + " (correlation_id)");
  }
}

double CopyBare(const std::string& url) {
  test::Db db(url);
  const std::string columns = List(db);
  const Stopwatch watch;
  const std::vector<std::string> leaves = MakeLeaves(db, "bare");
  db.Execute("INSERT INTO bare (" + columns + ") SELECT " + columns +
             " FROM ledger_event ORDER BY sequence_number");
  IndexLeaves(db, leaves);
  return watch.Seconds();
}

double CopyInBatches(const std::string& url) {
  test::Db db(url);
  const std::string columns = List(db);
  const auto last = db.Count("SELECT max(sequence_number) FROM ledger_event");
  const Stopwatch watch;
  IndexLeaves(db, MakeLeaves(db, "batched"));
  for (long long after = 0; after < last; after += kBatchRows) {
    db.Query("INSERT INTO batched (" + columns + ") SELECT " + columns +
                 " FROM ledger_event WHERE sequence_number > $1::bigint AND sequence_number <= "
                 "$2::bigint ORDER BY sequence_number",
             {std::to_string(after), std::to_string(after + kBatchRows)});
  }
  return watch.Seconds();
}

void PartitionForReading(const std::string& url) {
  test::Db db(url);
  const std::string columns = List(db);
  const std::vector<std::string> leaves = MakeLeaves(db, "parted");
  db.Execute("INSERT INTO parted (" + columns + ") SELECT " + columns +
             " FROM ledger_event ORDER BY sequence_number");
  IndexLeaves(db, leaves);
  PutInPlace(db, "parted");
  db.Execute("VACUUM (FREEZE, ANALYZE) ledger_event");
}

std::string MakeLargeHistory(test::PostgresServer& server, const std::string& name, long long rows,
                             int months, bool partitioned) {
  const std::string url = MakeEmptyLedger(server, name);
  test::Db db(url);
  const std::string columns = List(db), begin = BeginOf(months);
  std::vector<std::string> tables = {"loaded"};
  if (partitioned) {
    tables = MakeLeaves(db, "loaded", begin, "(now() + interval '1 month')");
  } else {
    db.Execute("CREATE TABLE loaded (LIKE ledger_event INCLUDING DEFAULTS)");
  }
  db.Execute("INSERT INTO loaded (" + columns + ") SELECT " + columns + " FROM ledger_event");
  db.Execute(LargeHistory(rows / kVersions, begin));
  IndexLeaves(db, tables);
  PutInPlace(db, "loaded");
  if (partitioned) GuardLargeHistory(db);
  db.Execute("ALTER TABLE outbox ADD FOREIGN KEY (event_id) REFERENCES " +
             std::string(partitioned ? "summa_host.ledger_event_key" : "ledger_event") + " (id)");
  test::EnsureAccounts(url, 20);
  db.Execute("VACUUM (FREEZE, ANALYZE)");
  return url;
}

}  // namespace summa::bench
