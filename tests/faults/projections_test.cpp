// kill -9 at every crash point of the projections, with writers at work: another host goes on, and
// the read models are those of the ledger. Every point with the read models in the ledger's
// database, and with a server of their own, where no lease guards what is committed.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/summa_host.hpp"
#include "tests/faults/crash_points.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr const char* kModels[] = {"account-balance", "entry-record", "transaction-summary",
                                   "holder-dashboard"};
// Runs of a host in which a rebuild certainly ends.
constexpr int kRuns = 60;

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

PostgresServer& ReadServer() {
  static PostgresServer server;
  return server;
}

bool OfRebuild(const std::string& point) {
  for (const char* name : {"projections.loaded", "projections.load_committed",
                           "projections.next_created", "projections.indexed", "projections.swap",
                           "projections.swapped", "projections.old_dropped"}) {
    if (point == name) return true;
  }
  return false;
}

class ReadModels : public testing::Test {
 protected:
  void Install(bool separate) {
    static int number = 0;
    const std::string name = name_ = "projection_faults_" + std::to_string(++number);
    url_ = InstallLedger(Server(), name);
    EnsureAccounts(url_, 20);
    db_ = std::make_unique<Db>(url_);
    std::string database = "ledger: { url: \"" + url_ + "\" }";
    if (separate) {
      read_url_ = ReadServer().CreateDatabase(name);
      database += ", read: { url: \"" + read_url_ + "\" }";
    } else {
      read_url_ = url_;
    }
    for (const char* host : {"first", "second"}) {
      files_.push_back(std::make_unique<TemporaryFile>(
          "summa.yaml",
          "database: { " + database + ", migrate: auto }\nhost: { name: " + host +
              ", listen: \"127.0.0.1:0\" }\nplugins: { projections: { batch_size: 20, keep_old: 1s "
              "} }\n"
              "schedules: { projection-runner: { lease_ttl: 1s }, projection-rebuild: { lease_ttl: "
              "1s } }\n"));
    }
    ASSERT_EQ(Verb(0, {"migrate"}).exit_code, 0);
    traffic_ = std::make_unique<TrafficGenerator>(
        url_, TrafficOptions{.connections = 4, .accounts = 20, .rate = 100});
    traffic_->Start();
    WaitUntil([&] { return traffic_->Committed() >= 60; }, kTimeout, "traffic");
  }

  RunResult Verb(int host, std::vector<std::string> arguments,
                 std::map<std::string, std::string> environment = {}) {
    arguments.insert(arguments.end(), {"-c", files_[host]->Path()});
    return SummaHost(std::move(arguments), std::move(environment));
  }
  RunResult RunOnce(int host, std::map<std::string, std::string> environment = {}) {
    return Verb(host, {"run", "--once"}, std::move(environment));
  }
  bool RebuildIsOpen() {
    return db_->Count("SELECT count(*) FROM summa_host.operation WHERE finished_at IS NULL") > 0;
  }
  void ExpectReadModelsOfTheLedger() {
    for (const std::string model : kModels) {
      const RunResult verified = Verb(1, {"projections", "verify", model, "--output", "json"});
      EXPECT_EQ(verified.exit_code, 0) << model << ": " << verified.out << verified.err;
      EXPECT_EQ(JsonMember(verified.out, "differences"), "0") << model << ": " << verified.out;
      EXPECT_EQ(JsonMember(verified.out, "inFlight"), "0") << model << ": " << verified.out;
    }
  }

  std::string name_;  // of the databases
  std::string url_, read_url_;
  std::unique_ptr<Db> db_;  // the ledger
  std::vector<std::unique_ptr<TemporaryFile>> files_;
  std::unique_ptr<TrafficGenerator> traffic_;
};

class ProjectionsFaults : public ReadModels,
                          public testing::WithParamInterface<std::tuple<CrashAt, bool>> {
 protected:
  void SetUp() override { Install(std::get<1>(GetParam())); }
};

TEST_P(ProjectionsFaults, AnotherHostGoesOnAndTheReadModelsAreExact) {
  const CrashAt at = std::get<0>(GetParam());
  const std::map<std::string, std::string> killed = {{"SUMMA_CRASH_AT", Text(at)}};
  if (OfRebuild(at.name)) {
    ASSERT_EQ(RunOnce(0).exit_code, 0);
    const RunResult begun = Verb(0, {"projections", "rebuild", "account-balance", "--detach"});
    ASSERT_EQ(begun.exit_code, 0) << begun.err;
  } else if (at.name == "projections.resumed") {
    ASSERT_EQ(RunOnce(0).exit_code, 0);
    Db read(read_url_);
    read.Execute(
        "ALTER TABLE summa_read.account_balance_view_1 ADD CONSTRAINT refuses CHECK (id <> "
        "'" +
        db_->Value("SELECT fixture.account_id(5)") + "') NOT VALID");
    db_->Execute("SELECT fixture.credit(fixture.account_id(5), 60)");
    ASSERT_EQ(RunOnce(0).exit_code, 0);
    read.Execute("ALTER TABLE summa_read.account_balance_view_1 DROP CONSTRAINT refuses");
    ASSERT_EQ(Verb(0, {"projections", "resume", "account-balance"}).exit_code, 0);
  }
  bool died = false;
  if (at.name == "projections.key_rebuilt") {
    ASSERT_EQ(RunOnce(0).exit_code, 0);
    died = Verb(0,
                {"projections", "rebuild", "account-balance", "--key",
                 db_->Value("SELECT fixture.account_id(5)")},
                killed)
               .exit_code == 128 + SIGKILL;
  }
  for (int run = 0; run < kRuns && !died; ++run) {
    const RunResult result = RunOnce(0, killed);
    died = result.exit_code == 128 + SIGKILL;
    ASSERT_TRUE(died || result.exit_code == 0) << result.err;
  }
  ASSERT_TRUE(died) << "it came not to the place";
  traffic_->Stop();
  EXPECT_EQ(traffic_->Failed(), 0) << traffic_->LastError();
  for (int run = 0; run < kRuns; ++run) {
    const RunResult result = RunOnce(1);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    if (!RebuildIsOpen()) break;
  }
  EXPECT_FALSE(RebuildIsOpen());
  EXPECT_EQ(RunOnce(1).exit_code, 0);
  ExpectReadModelsOfTheLedger();
}

TEST_F(ReadModels, AReadServerThatDiesLosesNothing) {
  Install(/*separate=*/true);
  RunningHost host({"-c", files_[0]->Path()});
  const auto followed = [&] {
    const RunResult list = Verb(1, {"projections", "list", "--output", "json"});
    return list.exit_code == 0 && list.out.find("account-balance-view") != std::string::npos;
  };
  WaitUntil(followed, kTimeout, "the read models");
  for (int death = 0; death < 2; ++death) {
    const long long before = traffic_->Committed();
    ReadServer().KillNine();
    // The ledger does not care.
    WaitUntil([&] { return traffic_->Committed() >= before + 50; }, kTimeout, "traffic");
    ReadServer().Start();
    WaitUntil([&] { return traffic_->Committed() >= before + 100; }, kTimeout, "traffic");
  }
  traffic_->Stop();
  EXPECT_EQ(traffic_->Failed(), 0) << traffic_->LastError();
  const std::string head = db_->Value("SELECT max(sequence_number) FROM ledger_event");
  const RunResult waited = Verb(1, {"projections", "wait", "account-balance", "--for", head});
  EXPECT_EQ(waited.exit_code, 0) << waited.err;
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
  EXPECT_EQ(RunOnce(1).exit_code, 0);
  ExpectReadModelsOfTheLedger();
}

TEST_F(ReadModels, AReadDatabaseThatIsRestoredToAnOlderStateIsBroughtUpToDate) {
  Install(/*separate=*/true);
  ASSERT_EQ(RunOnce(0).exit_code, 0);
  const std::string saved = name_ + "_saved";
  ReadServer().CreateDatabase(saved, name_);
  RunningHost host({"-c", files_[0]->Path()});
  const auto await_head = [&] {
    const std::string head = db_->Value("SELECT max(sequence_number) FROM ledger_event");
    const RunResult waited = Verb(1, {"projections", "wait", "account-balance", "--for", head});
    EXPECT_EQ(waited.exit_code, 0) << waited.err;
  };
  const long long before = traffic_->Committed();
  WaitUntil([&] { return traffic_->Committed() >= before + 100; }, kTimeout, "traffic");
  await_head();
  {
    Db maintenance(ReadServer().Url("postgres"));
    maintenance.Execute("DROP DATABASE " + name_ + " WITH (FORCE)");
    maintenance.Execute("ALTER DATABASE " + saved + " RENAME TO " + name_);
  }
  await_head();
  traffic_->Stop();
  EXPECT_EQ(traffic_->Failed(), 0) << traffic_->LastError();
  await_head();
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
  EXPECT_EQ(RunOnce(1).exit_code, 0);
  ExpectReadModelsOfTheLedger();
}

std::string NameOf(const testing::TestParamInfo<std::tuple<CrashAt, bool>>& info) {
  const auto& [at, separate] = info.param;
  std::string name = at.name + "_at_" + std::to_string(at.hit) + (separate ? "_apart" : "");
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::vector<CrashAt> AllPoints() {
  std::vector<CrashAt> points;
  for (const std::string& name : CrashPointsInSources({"plugins/projections"})) {
    points.push_back({name, 1, false});
    const bool often = name == "projections.applied" || name == "projections.committed" ||
                       name == "projections.loaded";
    if (often) points.push_back({name, 2, false});
  }
  return points;
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, ProjectionsFaults,
                         testing::Combine(testing::ValuesIn(AllPoints()), testing::Bool()), NameOf);

}  // namespace
}  // namespace summa::test
