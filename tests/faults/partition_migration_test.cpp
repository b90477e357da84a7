// kill -9 at every crash point of the migration to partitions, with writers at work: another host
// goes on, no event is lost or doubled, and no writer sees an error.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/summa_host.hpp"
#include "tests/faults/crash_points.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::test {
namespace {

constexpr const char* kTimePasses = R"sql(
DO $do$ DECLARE
  was timestamptz := (SELECT bound FROM summa_host.migration);
  ended timestamptz;
BEGIN
  LOCK TABLE ledger_event IN ACCESS EXCLUSIVE MODE;
  ended := clock_timestamp();
  ALTER TABLE ledger_event DETACH PARTITION ledger_event_old;
  EXECUTE format('ALTER TABLE ledger_event ATTACH PARTITION ledger_event_old FOR VALUES FROM '
                 '(MINVALUE) TO (%L)', ended);
  EXECUTE format('CREATE TABLE ledger_event_since PARTITION OF ledger_event FOR VALUES FROM (%L) '
                 'TO (%L)', ended, was);
  UPDATE summa_host.migration SET bound = ended;
END $do$)sql";

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

constexpr const char* kColumns =
    "id, sequence_number, aggregate_type, aggregate_id, aggregate_version, event_type, "
    "event_data, correlation_id, hash, prev_hash, created_at";

// After the exchange of strategy attach.
bool OfSlices(const std::string& point) {
  return point.starts_with("migration.slice") || point == "migration.freeze" ||
         point == "migration.frozen";
}

// The action during which a crash point is reached: "begin" copies and waits, "swap" goes on to the
// exchange, "slice" puts the flat table of strategy attach into slices.
std::string ActionOf(const std::string& point) {
  const std::map<std::string, std::string> of_slices = {
      {"migration.slice_again", "slice again"},
      {"migration.slices_drop", "leave slices"},
      {"migration.slices_dropped", "leave slices"},
      {"migration.slices_left", "leave slices"},
      {"migration.slices_restore", "restore"},
      {"migration.slices_restored", "restore"},
      {"migration.slice_freed", "finalize slices"},
      {"migration.slices_finalize", "finalize slices"}};
  if (const auto found = of_slices.find(point); found != of_slices.end()) return found->second;
  if (OfSlices(point)) return "slice";
  if (point == "migration.seal") return "begin";
  for (const char* name : {"migration.swap_back", "migration.swapped_back", "migration.restored",
                           "migration.detach"}) {
    if (point == name) return "rollback";
  }
  if (point.starts_with("migration.finalize")) return "finalize";
  if (point.starts_with("migration.abort") || point == "migration.end_sync") return "abort";
  return "swap";
}

std::string StrategyOf(const std::string& point) {
  if (OfSlices(point)) return "attach";
  for (const char* name : {"migration.bound", "migration.validate_bound",
                           "migration.bound_verified", "migration.attach", "migration.detach"}) {
    if (point == name) return "attach";
  }
  return "online";
}

class PartitionMigrationTest : public testing::TestWithParam<CrashAt> {
 protected:
  void SetUp() override {
    static int number = 0;
    url_ = InstallLedger(Server(), "partition_migration_" + std::to_string(++number));
    EnsureAccounts(url_, 40);
    db_ = std::make_unique<Db>(url_);
    for (const char* host : {"first", "second"}) {
      files_.push_back(std::make_unique<TemporaryFile>(
          "summa.yaml", "database: { ledger: { url: \"" + url_ +
                            "\" }, migrate: auto }\nhost: { name: " + host +
                            ", listen: \"127.0.0.1:0\" }\n"
                            "plugins: { maintenance: { closed_after: 1s } }\n"
                            "schedules: { partition-migration: { lease_ttl: 1s } }\n"));
    }
    ASSERT_EQ(Verb(0, {"migrate"}).exit_code, 0);
    traffic_ = std::make_unique<TrafficGenerator>(
        url_, TrafficOptions{.connections = 8, .accounts = 40, .rate = 200});
    traffic_->Start();
  }

  RunResult Verb(int host, std::vector<std::string> arguments,
                 std::map<std::string, std::string> environment = {}) {
    arguments.insert(arguments.end(), {"-c", files_[host]->Path()});
    return SummaHost(std::move(arguments), std::move(environment));
  }
  RunResult Migrate(int host, const std::string& action,
                    std::map<std::string, std::string> environment = {}) {
    std::vector<std::string> arguments = {"migrate:partition-event-store", "--batch-size", "20"};
    if (action == "swap" || action == "begin" || action.starts_with("slice")) {
      arguments.push_back("--strategy=" + StrategyOf(GetParam().name));
    }
    if (action == "swap" || action.starts_with("slice")) arguments.push_back("--yes");
    if (action == "abort") arguments.push_back("--abort");
    if (action == "rollback" || action == "restore") {
      arguments.insert(arguments.end(), {"--rollback", "--yes"});
    }
    if (action.starts_with("finalize") || action == "leave slices") {
      arguments.insert(arguments.end(), {"--finalize", "--yes"});
    }
    return Verb(host, std::move(arguments), std::move(environment));
  }
  std::string State() {
    return db_->Value(
        "SELECT coalesce(max(CASE WHEN state = 'swapped' AND slice_state <> '' THEN slice_state "
        "ELSE state END), '') FROM summa_host.migration");
  }
  // As if the time of the flat table, which is attached, was over. Without writers: one that is in
  // the middle of a chain would go back in time into the older partition, and have to try again.
  void LetTimePass() {
    traffic_->Stop();
    db_->Execute(kTimePasses);
    traffic_->Start();
  }
  // What has to be there before the action of the point.
  void Prepare(const std::string& action) {
    if (action == "abort") {
      // Stopped in the middle, with the mirroring on.
      Migrate(0, "swap", {{"SUMMA_CRASH_AT", "migration.backfilled:1"}});
    }
    if (action == "begin" || action == "swap" || action == "abort") return;
    const RunResult swapped = Migrate(0, "swap");
    ASSERT_EQ(swapped.exit_code, 0) << swapped.err;
    if (action == "rollback" || action == "finalize") return;
    LetTimePass();
    if (action == "slice") return;
    if (action == "leave slices") {
      Migrate(0, "slice", {{"SUMMA_CRASH_AT", "migration.slices_verified:1"}});
      return;
    }
    const RunResult sliced = Migrate(1, "slice");
    ASSERT_EQ(sliced.exit_code, 0) << sliced.err;
    if (action != "slice again") return;
    const RunResult restored = Migrate(1, "restore");
    ASSERT_EQ(restored.exit_code, 0) << restored.err;
  }
  long long Differences(const std::string& one, const std::string& other) {
    const std::string rows = std::string("SELECT ") + kColumns + " FROM ";
    return db_->Count("SELECT count(*) FROM (" + rows + one + " EXCEPT ALL " + rows + other +
                      ") d");
  }
  void ExpectEverythingIsThere(const std::string& action) {
    traffic_->Stop();
    EXPECT_EQ(traffic_->Failed(), 0) << traffic_->LastError();
    EXPECT_EQ(LedgerViolations(url_), std::vector<std::string>{});
    EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox o WHERE event_id IS NOT NULL AND NOT EXISTS "
                         "(SELECT FROM ledger_event e WHERE e.id = o.event_id)"),
              0);
    if (action == "swap" || OfSlices(GetParam().name)) {
      EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event"),
                db_->Count("SELECT count(*) FROM summa_host.ledger_event_key"));
    }
    if (action.starts_with("slice")) {
      const std::string old = "ledger_event WHERE created_at < (SELECT bound FROM "
                              "summa_host.migration)";
      EXPECT_EQ(Differences(old, "ledger_event_old"), 0);
      EXPECT_EQ(Differences("ledger_event_old", old), 0);
    }
    if (action == "swap" && StrategyOf(GetParam().name) == "online") {
      EXPECT_EQ(Differences("ledger_event", "ledger_event_old"), 0);
      EXPECT_EQ(Differences("ledger_event_old", "ledger_event"), 0);
    }
  }

  std::string url_;
  std::unique_ptr<Db> db_;
  std::vector<std::unique_ptr<TemporaryFile>> files_;
  std::unique_ptr<TrafficGenerator> traffic_;
};

TEST_P(PartitionMigrationTest, AnotherHostGoesOnAndNothingIsLost) {
  const CrashAt at = GetParam();
  const std::string action = ActionOf(at.name);
  const std::map<std::string, std::string> killed = {{"SUMMA_CRASH_AT", Text(at)}};
  ASSERT_NO_FATAL_FAILURE(Prepare(action));
  const RunResult dead = Migrate(0, action, killed);
  ASSERT_EQ(dead.exit_code, 128 + SIGKILL) << "it came not to the place; " << dead.err;
  const std::string goal = action == "begin" ? "swap" : action;
  const std::map<std::string, std::string> states = {{"swap", "swapped"},
                                                     {"rollback", "rolled_back"},
                                                     {"finalize", "finalized"},
                                                     {"abort", "aborted"},
                                                     {"slice", "exchanged"},
                                                     {"slice again", "exchanged"},
                                                     {"restore", "restored"},
                                                     {"leave slices", "finalized"},
                                                     {"finalize slices", "finalized"}};
  // What was committed before the kill needs no second time. A second way back leads further.
  const bool open =
      goal != "restore" &&
      db_->Count("SELECT count(*) FROM summa_host.operation WHERE finished_at IS NULL") > 0;
  if (State() != states.at(goal) || open) {
    const RunResult heir = Migrate(1, goal);
    EXPECT_EQ(heir.exit_code, 0) << heir.err;
  }
  EXPECT_EQ(State(), states.at(goal));
  ExpectEverythingIsThere(goal);
}

std::string NameOf(const testing::TestParamInfo<CrashAt>& info) {
  std::string name = info.param.name + "_at_" + std::to_string(info.param.hit);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::vector<CrashAt> AllPoints() {
  std::vector<CrashAt> points;
  for (const std::string& name : CrashPointsInSources({"plugins/maintenance/migration"})) {
    if (name == "migration.differs") continue;  // only where the copy was changed by somebody
    points.push_back({name, 1, false});
    const bool often = name == "migration.copied" || name == "migration.chunk_committed" ||
                       name == "migration.index" || name == "migration.guard" ||
                       name == "migration.slice_index" ||
                       name == "migration.verify";
    if (often) points.push_back({name, 3, false});
  }
  return points;
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, PartitionMigrationTest, testing::ValuesIn(AllPoints()),
                         NameOf);

}  // namespace
}  // namespace summa::test
