// kill -9 at every crash point of the reconciliation plugin, while traffic goes on and one event
// has been tampered with: nothing is certified that was not verified, and the next host goes on.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

// The workers run several times a second; the outbox, which the checker looks at, as well.
Scenario Reconciliation() {
  Scenario scenario;
  scenario.name = "reconciliation";
  scenario.plugins = {"reconciliation"};
  scenario.plugins_yaml = [](const World& world) {
    return "{ bus-redis: { url: \"" + world.redis_url + "\", key_prefix: " + world.key_prefix +
           " }, outbox: { use: { bus: bus-redis } }, reconciliation: { block_size: 20, "
           "snapshot_after_events: 1, full_cycle: 1m } }";
  };
  const std::string often = ": { lease_ttl: 500ms, interval: 300ms, jitter: 0% }";
  scenario.schedules_yaml =
      "{ outbox-processor: { lease_ttl: 500ms, idle_poll: 20ms }, outbox-cleanup: { lease_ttl: "
      "500ms, interval: 1s }, stream-trim: { lease_ttl: 500ms }, inbox-cleanup: { lease_ttl: 500ms "
      "}, daily-reconciliation" +
      often + ", block-checkpoint" + often + ", hash-snapshot-creator" + often +
      ", rolling-verification" + often + " }";
  scenario.worker = "block-checkpoint";
  scenario.guarded_tables = {"block_checkpoint", "summa_host.block_seal"};
  scenario.progress = [](const World& world) {
    return Db(world.ledger_url)
        .Count(
            "SELECT (SELECT count(*) FROM block_checkpoint) + (SELECT count(*) FROM "
            "reconciliation_result)");
  };
  scenario.drained = [](const World& world) {
    return Db(world.ledger_url)
               .Count(
                   "SELECT (SELECT count(*) FROM outbox WHERE status = 'pending') + (SELECT "
                   "max(sequence_number) FROM ledger_event) - coalesce((SELECT "
                   "max(to_event_sequence) FROM block_checkpoint), 0)") == 0;
  };
  return scenario;
}

// One line for each promise that is broken. `tampered`: the aggregate with an event that was
// changed.
std::vector<std::string> BrokenPromises(Db& db, const std::string& tampered) {
  std::vector<std::string> lines;
  const auto expect_none = [&](const char* what, const std::string& count) {
    const long long found = db.Count(count);
    if (found > 0) lines.push_back(std::to_string(found) + " " + what);
  };
  expect_none(
      "snapshots of the chain that is not valid",
      "SELECT count(*) FROM summa_host.hash_snapshot WHERE aggregate_id = '" + tampered + "'");
  expect_none("snapshots that are not what is stored",
              "SELECT count(*) FROM summa_host.hash_snapshot s LEFT JOIN ledger_event e ON "
              "e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND "
              "e.aggregate_version = s.snapshot_version AND e.hash = s.snapshot_hash AND "
              "e.sequence_number = s.position WHERE e.id IS NULL");
  expect_none("blocks without a seal, or seals without a block",
              "SELECT count(*) FROM block_checkpoint b FULL JOIN summa_host.block_seal s ON "
              "s.block_id = b.id WHERE b.id IS NULL OR s.block_id IS NULL");
  expect_none("blocks that do not follow on the one before",
              "SELECT count(*) FROM (SELECT *, lag(id) OVER w AS id_before, lag(block_hash) OVER w "
              "AS hash_before, lag(to_event_sequence) OVER w AS to_before FROM block_checkpoint "
              "WINDOW w AS (ORDER BY block_sequence)) b WHERE prev_block_id IS DISTINCT FROM "
              "id_before OR prev_block_hash IS DISTINCT FROM hash_before OR to_before + 1 <> "
              "from_event_sequence");
  expect_none("blocks that Summa's rule refuses, late events left out",
              "SELECT count(*) FROM block_checkpoint b CROSS JOIN LATERAL (SELECT "
              "encode(sha256(convert_to(string_agg(hash, '' ORDER BY sequence_number), 'UTF8')), "
              "'hex') AS hash FROM ledger_event e WHERE e.sequence_number BETWEEN "
              "b.from_event_sequence AND b.to_event_sequence AND NOT EXISTS (SELECT FROM "
              "summa_host.late_event l WHERE l.position = e.sequence_number)) c WHERE "
              "b.events_hash <> c.hash OR b.block_hash <> encode(sha256(convert_to(coalesce("
              "b.prev_block_hash, '') || c.hash, 'UTF8')), 'hex')");
  expect_none("runs that are finished without a row, or more than one open",
              "SELECT count(*) FROM summa_host.reconciliation_run r LEFT JOIN "
              "reconciliation_result w ON w.id = r.result_id WHERE r.finished_at IS NOT NULL AND "
              "w.id IS NULL");
  expect_none("runs that did not see the event that was changed",
              "SELECT count(*) FROM reconciliation_result WHERE status <> 'mismatches_found'");
  return lines;
}

FaultServers& Servers() {
  static FaultServers servers({}, {});
  return servers;
}

class ReconciliationKillTest : public testing::TestWithParam<std::string> {
 protected:
  // An event of an account that the traffic does not touch.
  std::string Tamper(Db& db) {
    const std::string account =
        db.Value("SELECT fixture.create_account('tampered', gen_random_uuid())");
    kept_ =
        db.Value("SELECT event_data::text FROM ledger_event WHERE aggregate_id = $1", {account});
    SetData(db, account, "{\"holderId\": \"other\"}");
    return account;
  }
  static void SetData(Db& db, const std::string& account, const std::string& data) {
    db.Change("UPDATE ledger_event SET event_data = $2::jsonb WHERE aggregate_id = $1",
              {account, data});
  }
  // An event below the last block, under a number that was drawn long before.
  static void ComeLate(Round& round, Db& db) {
    const std::string number = db.Value("SELECT nextval('ledger_event_sequence_number_seq')");
    round.StartHost();
    WaitUntil(
        [&] {
          return db.Count("SELECT count(*) FROM block_checkpoint WHERE to_event_sequence > $1",
                          {number}) > 0;
        },
        kTimeout, "a block above the number that was drawn");
    round.host().process().Signal(SIGKILL);
    round.host().process().Wait(kTimeout);
    db.Change(
        "INSERT INTO ledger_event (sequence_number, aggregate_type, aggregate_id, "
        "aggregate_version, event_type, event_data, correlation_id, hash) VALUES ($1, "
        "'account', gen_random_uuid(), 1, 'Late', '{}', gen_random_uuid(), "
        "fixture.hash(NULL, '{}'))",
        {number});
  }

  std::string kept_;
};

TEST_P(ReconciliationKillTest, CertifiesNothingThatWasNotVerified) {
  static const Scenario scenario = Reconciliation();
  Round round(Servers(), scenario);
  Db db(round.world().ledger_url);
  const std::string tampered = Tamper(db);
  round.StartTraffic();
  const bool late = GetParam().rfind("reconciliation.late", 0) == 0;
  if (late) ComeLate(round, db);
  std::vector<std::string> lines = round.KillAt({GetParam(), 1, false});
  round.StartHost();
  round.WaitForProgress();
  // A whole run and a search for snapshots of the host that came after.
  const long long results = db.Count("SELECT count(*) FROM reconciliation_result");
  const bool went_on = BecomesTrue([&] {
    return db.Count("SELECT count(*) FROM reconciliation_result") > results + 1 &&
           db.Count("SELECT count(*) FROM summa_host.hash_snapshot") > 0;
  });
  if (!went_on) lines.push_back("no runs after the kill; " + round.host().Log());
  if (late) {
    EXPECT_EQ(db.Count("SELECT count(*) FROM summa_host.late_event"), 1);
  }
  for (std::string& line : BrokenPromises(db, tampered)) lines.push_back(std::move(line));
  SetData(db, tampered, kept_);  // the checker of the ledger looks at every hash
  for (std::string& line : round.Finish()) lines.push_back(std::move(line));
  EXPECT_TRUE(lines.empty()) << Report(lines);
}

std::vector<std::string> AllPoints() {
  const std::set<std::string> points = CrashPointsInSources({"plugins/reconciliation"});
  return {points.begin(), points.end()};
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, ReconciliationKillTest, testing::ValuesIn(AllPoints()),
                         [](const auto& point) {
                           std::string name = point.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace summa::test
