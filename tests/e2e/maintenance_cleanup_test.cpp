// The cleanups of the maintenance plugin with the real program: they are listed, run with
// `run --once` under exactly the documented rights, and continue after a crash.
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/restricted_role.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kCleanups = {"idempotency-cleanup", "worker-lease-cleanup",
                                            "processed-event-cleanup"};

class MaintenanceCleanups : public RestrictedRole {
 protected:
  void SetUp() override {
    Install();
    const TemporaryFile owner("summa.yaml", Configuration("postgres", kPlugin));
    const RunResult migrated = SummaHost({"migrate", "-c", owner.Path()});
    ASSERT_EQ(migrated.exit_code, 0) << migrated.err;
  }
  RunResult RunOnce(const std::vector<std::string>& workers,
                    const std::map<std::string, std::string>& environment = {}) const {
    const TemporaryFile file("summa.yaml", Configuration("background", kPlugin));
    std::vector<std::string> words = {"run", "--once", "--output", "json", "-c", file.Path()};
    for (const std::string& worker : workers) words.insert(words.end(), {"--only", worker});
    return SummaHost(words, environment);
  }
  long long Keys() { return db_->Count("SELECT count(*) FROM idempotency_key"); }

  static constexpr const char* kPlugin = "  maintenance: {}\n";
};

TEST_F(MaintenanceCleanups, RunOnceUnderTheDocumentedRightsAndAreListed) {
  db_->Execute(
      "INSERT INTO idempotency_key (key, expires_at) VALUES ('old', now() - interval '1 s'), "
      "('new', now() + interval '1 day'); "
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES ('gone', 'node', "
      "now() - interval '1 day'); "
      "INSERT INTO processed_event (id, topic, processed_at) VALUES (gen_random_uuid(), 't', now() "
      "- interval '8 days')");
  const RunResult run = RunOnce(kCleanups);
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  for (const std::string& worker : kCleanups) {
    EXPECT_THAT(run.out, HasSubstr("\"id\":\"" + worker + "\""));
  }
  EXPECT_EQ(db_->Column("SELECT key FROM idempotency_key"), std::vector<std::string>{"new"});
  EXPECT_EQ(db_->Count("SELECT count(*) FROM worker_lease WHERE worker_id = 'gone'"), 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM processed_event"), 0);

  const TemporaryFile file("summa.yaml", Configuration("background", kPlugin));
  const RunResult list = SummaHost({"workers", "list", "-c", file.Path(), "--output", "json"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  for (const std::string& worker : kCleanups) EXPECT_THAT(list.out, HasSubstr(worker));
}

TEST_F(MaintenanceCleanups, AHostThatIsKilledLeavesWholeBatchesAndTheNextOneDoesTheRest) {
  db_->Execute(
      "INSERT INTO idempotency_key (key, expires_at) SELECT 'key-' || n, now() - interval '1 "
      "hour' FROM generate_series(1, 500) n");
  const std::vector<std::string> worker = {"idempotency-cleanup"};
  RunResult run = RunOnce(worker, {{"SUMMA_CRASH_AT", "maintenance.cleanup_deleted:1"}});
  EXPECT_EQ(run.exit_code, 128 + SIGKILL) << run.out << run.err;
  EXPECT_EQ(Keys(), 500) << "nothing was committed";
  // Its lease is left to a host that does not wait for it to expire.
  db_->Execute("DELETE FROM worker_lease");
  run = RunOnce(worker, {{"SUMMA_CRASH_AT", "maintenance.cleanup_found:2"}});
  EXPECT_EQ(run.exit_code, 128 + SIGKILL) << run.out << run.err;
  EXPECT_EQ(Keys(), 400) << "the first batch, of 100 rows";
  db_->Execute("DELETE FROM worker_lease");
  run = RunOnce(worker);
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(Keys(), 0);
}

}  // namespace
}  // namespace summa::test
