// kill -9 at every crash point of the projections, with writers at work: another host goes on, and
// the read models are those of the ledger.
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

bool OfRebuild(const std::string& point) {
  for (const char* name : {"projections.loaded", "projections.load_committed",
                           "projections.next_created", "projections.indexed", "projections.swap",
                           "projections.swapped"}) {
    if (point == name) return true;
  }
  return false;
}

class ProjectionsFaults : public testing::TestWithParam<CrashAt> {
 protected:
  void SetUp() override {
    static int number = 0;
    url_ = InstallLedger(Server(), "projection_faults_" + std::to_string(++number));
    EnsureAccounts(url_, 20);
    db_ = std::make_unique<Db>(url_);
    for (const char* host : {"first", "second"}) {
      files_.push_back(std::make_unique<TemporaryFile>(
          "summa.yaml",
          "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\nhost: { name: " + host +
              ", listen: \"127.0.0.1:0\" }\nplugins: { projections: { batch_size: 20 } }\n"
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

  std::string url_;
  std::unique_ptr<Db> db_;
  std::vector<std::unique_ptr<TemporaryFile>> files_;
  std::unique_ptr<TrafficGenerator> traffic_;
};

TEST_P(ProjectionsFaults, AnotherHostGoesOnAndTheReadModelsAreExact) {
  const CrashAt at = GetParam();
  const std::map<std::string, std::string> killed = {{"SUMMA_CRASH_AT", Text(at)}};
  if (OfRebuild(at.name)) {
    ASSERT_EQ(RunOnce(0).exit_code, 0);
    const RunResult begun = Verb(0, {"projections", "rebuild", "account-balance", "--detach"});
    ASSERT_EQ(begun.exit_code, 0) << begun.err;
  } else if (at.name == "projections.resumed") {
    ASSERT_EQ(RunOnce(0).exit_code, 0);
    db_->Execute(
        "ALTER TABLE summa_read.account_balance_view_1 ADD CONSTRAINT refuses CHECK (id <> "
        "fixture.account_id(5)) NOT VALID");
    db_->Execute("SELECT fixture.credit(fixture.account_id(5), 60)");
    ASSERT_EQ(RunOnce(0).exit_code, 0);
    db_->Execute("ALTER TABLE summa_read.account_balance_view_1 DROP CONSTRAINT refuses");
    ASSERT_EQ(Verb(0, {"projections", "resume", "account-balance"}).exit_code, 0);
  }
  bool died = false;
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

std::string NameOf(const testing::TestParamInfo<CrashAt>& info) {
  std::string name = info.param.name + "_at_" + std::to_string(info.param.hit);
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

INSTANTIATE_TEST_SUITE_P(EveryPoint, ProjectionsFaults, testing::ValuesIn(AllPoints()), NameOf);

}  // namespace
}  // namespace summa::test
