// People and operations: the verbs, /status and /metrics, with the example plugin and real hosts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <optional>

#include "tests/e2e/history_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OperationVerbs : public testing::Test {
 protected:
  void SetUp() override {
    url_ = InstallLedger(server_, "ledger");
    EnsureAccounts(url_, 30);
    db_ = std::make_unique<Db>(url_);
    db_->Execute(kHistoryTable);
    rows_ = db_->Count("SELECT count(*) FROM entry_record");
    ASSERT_GE(rows_, 30);
    file_ = std::make_unique<HistoryConfiguration>(url_, "a", 1);
    ASSERT_EQ(file_->Verb({"migrate"}).exit_code, 0);
  }
  void StartHost() { host_ = std::make_unique<RunningHost>(file_->With({})); }

  RunResult Verb(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--output", "json"});
    return file_->Verb(std::move(arguments));
  }
  // Starts one that takes long enough to be steered; its number.
  std::string Start(const std::string& rate) {
    const RunResult started = Verb({"history", "backfill", "--detach", "--rate", rate});
    EXPECT_EQ(started.exit_code, 0) << started.err;
    std::string id = JsonMember(started.out, "operation").value_or("");
    std::erase(id, '"');
    return id;
  }
  std::string State(const std::string& id) {
    return db_->Value("SELECT state FROM summa_host.operation WHERE id = $1", {id});
  }
  long long Copied() { return db_->Count("SELECT count(*) FROM history.entry"); }
  void WaitForRows(long long more) {
    const long long before = Copied();
    WaitUntil([&] { return Copied() >= before + more; }, kTimeout, "more rows");
  }

  PostgresServer server_;
  std::string url_;
  long long rows_ = 0;
  std::unique_ptr<Db> db_;
  std::unique_ptr<HistoryConfiguration> file_;
  std::unique_ptr<RunningHost> host_;
};

TEST_F(OperationVerbs, AVerbStartsOneAndShowsItUntilItIsDone) {
  StartHost();
  const RunResult run = Verb({"history", "backfill"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(JsonMember(run.out, "operation"), "1");
  EXPECT_EQ(JsonMember(run.out, "finished"), "true");
  EXPECT_EQ(JsonMember(run.out, "rows"), std::to_string(rows_));
  EXPECT_EQ(Copied(), rows_);
  EXPECT_THAT(run.err, HasSubstr(" of " + std::to_string(rows_)));
  const RunResult list = Verb({"operations", "list"});
  EXPECT_THAT(list.out, HasSubstr("\"operations\":[]")) << "nothing is open";
  EXPECT_THAT(Verb({"operations", "list", "--all"}).out, HasSubstr("\"state\":\"done\""));
  EXPECT_THAT(file_->Verb({"operations", "list"}).out, HasSubstr("no operations"));
}

TEST_F(OperationVerbs, PauseRateAndResumeAreObeyedByARunningHost) {
  StartHost();
  const std::string id = Start("5");
  WaitForRows(1);
  const RunResult paused = Verb({"operations", "pause", id});
  EXPECT_EQ(paused.exit_code, 0) << paused.err;
  EXPECT_EQ(JsonMember(paused.out, "state"), "paused");
  EXPECT_EQ(JsonMember(Verb({"operations", "pause", id}).out, "changed"), "false");
  // The batch under way may still come; then nothing moves, though hosts go on asking.
  WaitUntil(
      [&] {
        return db_->Count(
                   "SELECT count(*) FROM summa_host.operation WHERE id = $1 AND "
                   "state = 'paused' AND updated_at < clock_timestamp() - interval '2 s'",
                   {id}) == 1;
      },
      kTimeout, "an operation that rests");
  const long long before = Copied();
  EXPECT_LT(before, rows_);
  EXPECT_EQ(Verb({"operations", "rate", id, "0"}).exit_code, 0);
  EXPECT_EQ(Copied(), before);
  EXPECT_EQ(JsonMember(Verb({"operations", "resume", id}).out, "state"), "running");
  WaitUntil([&] { return State(id) == "done"; }, kTimeout, "the end");
  EXPECT_EQ(Copied(), rows_);
  EXPECT_EQ(Verb({"operations", "pause", id}).exit_code, 64) << "it is over";
  EXPECT_THAT(Verb({"operations", "pause", id}).out, HasSubstr("SH-0383"));
}

TEST_F(OperationVerbs, AnAbortedOneLeavesNothing) {
  StartHost();
  const std::string id = Start("5");
  WaitForRows(2);
  EXPECT_EQ(JsonMember(Verb({"operations", "abort", id}).out, "state"), "aborted");
  WaitUntil(
      [&] {
        return db_->Count(
                   "SELECT count(*) FROM summa_host.operation WHERE id = $1 AND finished_at IS "
                   "NOT NULL",
                   {id}) == 1;
      },
      kTimeout, "what was copied to be taken back");
  EXPECT_EQ(Copied(), 0);
  EXPECT_EQ(Verb({"operations", "resume", id}).exit_code, 64);
  EXPECT_NE(Start("0"), id) << "a new one may begin";
}

TEST_F(OperationVerbs, StatusAndMetricsTellTheSame) {
  StartHost();
  const std::string id = Start("5");
  WaitForRows(2);
  std::string status;
  WaitUntil(
      [&] {
        status = host_->StatusWhen("running");
        return status.find("\"operations\":[{\"id\":\"" + id + "\"") != std::string::npos;
      },
      kTimeout, "an operation in /status");
  EXPECT_THAT(status, HasSubstr("\"kind\":\"backfill\",\"state\":\"running\""));
  EXPECT_THAT(status, HasSubstr("\"total\":" + std::to_string(rows_) + ",\"rate\":5"));
  const std::string labels = "{kind=\"backfill\",plugin=\"history\"";
  std::string metrics;
  WaitUntil(
      [&] {
        metrics = HttpGet(host_->Port(), "/metrics").body;
        return metrics.find("summa_operation_rows_total") != std::string::npos;
      },
      kTimeout, "an operation in /metrics");
  EXPECT_THAT(metrics,
              HasSubstr("summa_operation_rows_total" + labels + "} " + std::to_string(rows_)));
  EXPECT_THAT(metrics, HasSubstr("summa_operation_rate_limit" + labels + "} 5"));
  EXPECT_THAT(metrics, HasSubstr("summa_operations" + labels + ",state=\"running\"} 1"));
  const RunResult show = Verb({"operations", "show", id});
  EXPECT_THAT(show.out, HasSubstr("\"worker\":\"history-backfill\""));
  EXPECT_THAT(show.out, HasSubstr("\"rate\":5"));
  EXPECT_EQ(Verb({"operations", "rate", id, "0"}).exit_code, 0);
  const RunResult followed = file_->Verb({"operations", "show", id, "--follow"});
  EXPECT_EQ(followed.exit_code, 0) << followed.err;
  EXPECT_THAT(followed.out, HasSubstr("done"));
  EXPECT_EQ(State(id), "done");
  EXPECT_THAT(followed.err, Not(HasSubstr("\r"))) << "plain lines where there is no terminal";
}

TEST_F(OperationVerbs, AnUnknownNumberIs66) {
  for (const char* word : {"show", "pause", "resume", "abort"}) {
    const RunResult result = Verb({"operations", word, "4711"});
    EXPECT_EQ(result.exit_code, 66) << word << result.err;
    EXPECT_EQ(JsonMember(result.out, "code"), "SH-0382");
  }
  EXPECT_EQ(Verb({"operations", "rate", "4711", "5"}).exit_code, 66);
  EXPECT_EQ(Verb({"operations", "show", "seven"}).exit_code, 64);
}

// Nobody has the plugin any more: it waits, people see it and may end it.
TEST_F(OperationVerbs, OfAPluginThatIsGoneWaitAndCanBeAborted) {
  const std::string id = Start("0");
  file_ = std::make_unique<HistoryConfiguration>(url_, "b", 1, /*without_plugin=*/true);
  StartHost();
  host_->StatusWhen("running");
  const RunResult list = Verb({"operations", "list"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("\"state\":\"queued\""));
  EXPECT_THAT(list.out, HasSubstr("\"holder\":null"));
  EXPECT_EQ(Verb({"operations", "abort", id}).exit_code, 0);
  EXPECT_THAT(Verb({"operations", "list"}).out, HasSubstr("\"operations\":[]"));
}

// `run --once` does what is there, batch after batch.
TEST_F(OperationVerbs, RunOnceDoesTheWhole) {
  const std::string id = Start("0");
  const RunResult once = file_->Verb({"run", "--once"});
  EXPECT_EQ(once.exit_code, 0) << once.err;
  EXPECT_EQ(State(id), "done");
  EXPECT_EQ(Copied(), rows_);
}

TEST_F(OperationVerbs, AStepThatFailsIsShownAndGoesOnAfterResume) {
  db_->Execute(
      "CREATE FUNCTION history.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
      "EXCEPTION 'a bad row'; END $$; CREATE TRIGGER refuse BEFORE INSERT ON history.entry FOR "
      "EACH ROW EXECUTE FUNCTION history.refuse()");
  StartHost();
  const std::string id = Start("0");
  WaitUntil([&] { return State(id) == "failed"; }, kTimeout, "the last retry");
  EXPECT_THAT(Verb({"operations", "show", id}).out, HasSubstr("a bad row"));
  EXPECT_THAT(host_->process().Stderr(), HasSubstr("SH-0380"));
  EXPECT_THAT(host_->process().Stderr(), HasSubstr("SH-0381"));
  db_->Execute("DROP TRIGGER refuse ON history.entry");
  EXPECT_EQ(Verb({"operations", "resume", id}).exit_code, 0);
  WaitUntil([&] { return State(id) == "done"; }, kTimeout, "the end");
  EXPECT_EQ(Copied(), rows_);
}

}  // namespace
}  // namespace summa::test
