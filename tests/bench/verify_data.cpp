#include "tests/bench/verify_data.hpp"

#include <libpq-fe.h>

#include <random>
#include <stdexcept>
#include <summa/ledger/canonical_json.hpp>
#include <summa/ledger/hash.hpp>
#include <vector>

#include "tests/services/db.hpp"

namespace summa::bench {
namespace {

constexpr std::size_t kBytesPerSend = 1 << 20;

constexpr char kTables[] = R"(
CREATE TABLE ledger_event (
  id uuid NOT NULL DEFAULT gen_random_uuid(), sequence_number bigserial NOT NULL,
  aggregate_type varchar(50) NOT NULL, aggregate_id uuid NOT NULL, aggregate_version integer NOT NULL,
  event_type varchar(100) NOT NULL, event_data jsonb NOT NULL, correlation_id uuid NOT NULL DEFAULT gen_random_uuid(),
  hash varchar(64) NOT NULL, prev_hash varchar(64), created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE block_checkpoint (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), block_sequence bigserial NOT NULL UNIQUE,
  block_at timestamptz NOT NULL DEFAULT now(), from_event_sequence bigint NOT NULL,
  to_event_sequence bigint NOT NULL, event_count integer NOT NULL, events_hash varchar(64) NOT NULL,
  block_hash varchar(64) NOT NULL, prev_block_id uuid, prev_block_hash varchar(64));)";

constexpr char kIndexes[] = R"(
ALTER TABLE ledger_event ADD PRIMARY KEY (id), ADD UNIQUE (sequence_number);
CREATE UNIQUE INDEX uq_ledger_event_aggregate_version ON ledger_event (aggregate_type, aggregate_id, aggregate_version);
CREATE INDEX idx_ledger_event_aggregate ON ledger_event (aggregate_type, aggregate_id);
CREATE INDEX idx_ledger_event_correlation ON ledger_event (correlation_id);)";

std::string RandomUuid(std::mt19937_64& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = "00000000-0000-4000-8000-000000000000";
  for (char& c : text) {
    if (c == '0') c = kHex[random() & 15];
  }
  return text;
}

// COPY ... FROM STDIN in text form.
class Loader {
 public:
  Loader(test::Db& db, const std::string& statement) : connection_(db.Handle()) {
    PQclear(PQexec(connection_, statement.c_str()));
  }
  void Add(const std::string& line) {
    buffer_ += line;
    if (buffer_.size() >= kBytesPerSend) Send();
  }
  void Finish() {
    Send();
    PQputCopyEnd(connection_, nullptr);
    PGresult* result = PQgetResult(connection_);
    const std::string error = PQresultErrorMessage(result);
    PQclear(result);
    while ((result = PQgetResult(connection_)) != nullptr) PQclear(result);
    if (!error.empty()) throw std::runtime_error("loading events: " + error);
  }

 private:
  void Send() {
    if (PQputCopyData(connection_, buffer_.data(), static_cast<int>(buffer_.size())) != 1) {
      throw std::runtime_error(std::string("loading events: ") + PQerrorMessage(connection_));
    }
    buffer_.clear();
  }
  PGconn* connection_;
  std::string buffer_;
};

struct Aggregate {
  std::string id;
  std::string last_hash;
};

void LoadEvents(test::Db& db, long long aggregates, long long events, long long block_events) {
  std::mt19937_64 random(20261125);
  std::vector<Aggregate> all(static_cast<std::size_t>(aggregates));
  for (Aggregate& aggregate : all) aggregate.id = RandomUuid(random);
  ledger::Canonicalizer canonicalizer;
  ledger::Hasher hasher, block;
  std::vector<std::string> block_hashes;
  Loader loader(db,
                "COPY ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
                "event_data, hash, prev_hash) FROM STDIN");
  long long in_block = 0;
  for (long long version = 1; version <= events; ++version) {
    for (Aggregate& aggregate : all) {
      const std::string number = std::to_string(random() % 1'000'000);
      // As long as a real one: 105 bytes.
      const std::string data = "{\"reference\":\"credit_" + number + "\",\"amount\":" + number +
                               ",\"source\":\"@World\",\"destination\":\"holder_" + number +
                               "\",\"category\":\"credit\"}";
      std::optional<std::string_view> previous;
      if (version > 1) previous = aggregate.last_hash;
      const std::string hash = hasher.Event(previous, canonicalizer.Canonical(data)).string();
      loader.Add("transaction\t" + aggregate.id + "\t" + std::to_string(version) +
                 "\tTransactionPosted\t" + data + "\t" + hash + "\t" +
                 (version > 1 ? aggregate.last_hash : "\\N") + "\n");
      aggregate.last_hash = hash;
      if (block_events == 0) continue;
      block.Add(hash);
      if (++in_block == block_events) {
        block_hashes.push_back(block.Finish().string());
        in_block = 0;
      }
    }
  }
  loader.Finish();
  std::string previous_id, previous_hash;
  for (std::size_t i = 0; i < block_hashes.size(); ++i) {
    std::optional<std::string_view> previous;
    if (i > 0) previous = previous_hash;
    const std::string hash = ledger::BlockHash(previous, block_hashes[i]).string();
    const long long from = static_cast<long long>(i) * block_events + 1;
    previous_id = db.Value(
        "INSERT INTO block_checkpoint (from_event_sequence, to_event_sequence, event_count, "
        "events_hash, block_hash, prev_block_id, prev_block_hash) VALUES ($1, $2, $3, $4, $5, "
        "nullif($6, '')::uuid, nullif($7, '')) RETURNING id",
        {std::to_string(from), std::to_string(from + block_events - 1),
         std::to_string(block_events), block_hashes[i], hash, previous_id, previous_hash});
    previous_hash = hash;
  }
}

}  // namespace

std::string MakeEventStore(test::PostgresServer& server, const std::string& name,
                           long long aggregates, long long events, long long block_events) {
  const std::string url = server.CreateDatabase(name);
  test::Db db(url);
  db.Execute(kTables);
  LoadEvents(db, aggregates, events, block_events);
  db.Execute(kIndexes);
  db.Query("VACUUM (FREEZE, ANALYZE) ledger_event");
  db.Query("CHECKPOINT");
  return url;
}

}  // namespace summa::bench
