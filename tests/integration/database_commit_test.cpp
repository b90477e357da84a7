// COMMITs whose answer is lost: what the session says afterwards is what the database holds.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#include <thread>

#include "host/database/commit_outcome.hpp"
#include "host/observe/metrics.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server of its own, because tests restart it; over TCP, so that a connection can be told by its
// port. A transaction that asks for synchronous_commit = on waits in COMMIT for a standby that does
// not exist, with everything already committed on the server itself.
class CommitTest : public ::testing::Test {
 protected:
  static test::PostgresServer& OwnServer() {
    static test::PostgresServer server([] {
      test::PostgresOptions options;
      options.tcp = true;
      options.settings["synchronous_standby_names"] = "nobody";
      return options;
    }());
    return server;
  }

  CommitTest() {
    static int number = 0;
    name_ = "c" + std::to_string(++number);
    OwnServer().Start();
    OwnServer().CreateDatabase(name_);
    settings_.url = OwnServer().TcpUrl(name_);
    settings_.application_name = "summa-host/test";
    Reconnect();
    db_->Execute("CREATE TABLE item (id integer)");
    session_ = ConnectSession(settings_);
  }
  void Reconnect() { db_ = std::make_unique<test::Db>(OwnServer().Url(name_)); }
  void Run(std::string_view sql) { session_->Exec(sql, {}, 0); }

  // An open transaction whose COMMIT waits: committed, but for the standby's word.
  void InsertAndWaitForStandby() {
    session_->Begin(TransactionMode::kReadWrite);
    Run("SET LOCAL synchronous_commit = on");
    Run("INSERT INTO item VALUES (1)");
  }
  // .. whose COMMIT waits in a trigger: not committed.
  void InsertAndWaitInTrigger() {
    db_->Execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); "
        "RETURN NULL; END'; CREATE CONSTRAINT TRIGGER t AFTER INSERT ON item DEFERRABLE INITIALLY "
        "DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()");
    session_->Begin(TransactionMode::kReadWrite);
    Run("INSERT INTO item VALUES (1)");
  }

  // "committed" or the code of the failure of a COMMIT during which `meanwhile` happens, once the
  // backend waits in it.
  std::string Commit(const std::string& wait, const std::function<void()>& meanwhile,
                     const LeaseGuard* guard = nullptr) {
    std::string outcome = "committed";
    std::thread committer([&] {
      try {
        session_->Commit(guard);
      } catch (const SqlFailure& failure) {
        outcome = failure.error().code;
        message_ = failure.error().message;
      }
    });
    const bool waits = test::BecomesTrue([&] {
      return db_->Count(
                 "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int AND "
                 "wait_event = $2",
                 {Pid(), wait}) == 1;
    });
    EXPECT_TRUE(waits) << wait;
    meanwhile();
    committer.join();
    EXPECT_TRUE(session_->broken() || !waits);
    return outcome;
  }
  std::string Pid() const { return std::to_string(session_->backend_pid()); }
  void End() { db_->Query("SELECT pg_terminate_backend($1::int)", {Pid()}); }
  // It was told to. Its transaction has ended before it is gone itself.
  bool BackendEnds() {
    return test::BecomesTrue([&] {
      return db_->Count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int", {Pid()}) == 0;
    });
  }
  // As a network does that goes away: neither side says a word, the backend does not notice.
  void CutConnection() {
    const int port = static_cast<int>(
        db_->Count("SELECT client_port FROM pg_stat_activity WHERE pid = $1::int", {Pid()}));
    for (int descriptor = 3; descriptor < 1024; ++descriptor) {
      sockaddr_in local{};
      socklen_t size = sizeof local;
      if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &size) != 0) continue;
      if (local.sin_family != AF_INET || ntohs(local.sin_port) != port) continue;
      ASSERT_EQ(shutdown(descriptor, SHUT_RD), 0);
      return;
    }
    FAIL() << "no socket with local port " << port;
  }
  long long Rows() { return db_->Count("SELECT count(*) FROM item"); }
  static double Counted(const std::string& outcome) {
    const std::string line = "summa_db_ambiguous_commits_total{outcome=\"" + outcome + "\"} ";
    const std::string text = MetricsText();
    const std::size_t at = text.find(line);
    return at == std::string::npos ? 0 : std::stod(text.substr(at + line.size()));
  }

  std::string name_, message_;
  DatabaseSettings settings_;
  std::unique_ptr<test::Db> db_;
  std::unique_ptr<Session> session_;
};

TEST_F(CommitTest, EndedBackendHadCommitted) {
  const double before = Counted("committed");
  InsertAndWaitForStandby();
  EXPECT_EQ(Commit("SyncRep", [&] { End(); }), "committed") << message_;
  EXPECT_EQ(Rows(), 1);
  EXPECT_EQ(Counted("committed"), before + 1);
  EXPECT_EQ(CatchSql([&] { Run("SELECT 1"); }).error().code, "SH-0402") << "never a reconnect";
}

TEST_F(CommitTest, EndedBackendHadNotCommitted) {
  const double before = Counted("aborted");
  InsertAndWaitInTrigger();
  EXPECT_EQ(Commit("PgSleep", [&] { End(); }), "SH-0402");
  EXPECT_EQ(Rows(), 0);
  EXPECT_EQ(Counted("aborted"), before + 1);
}

TEST_F(CommitTest, CommitUnderALeaseIsFoundOutLikewise) {
  db_->Execute(
      "CREATE SCHEMA summa_host; CREATE TABLE summa_host.worker_fence (worker text, fence bigint); "
      "CREATE TABLE worker_lease (worker_id text, lease_holder text, lease_until timestamptz); "
      "INSERT INTO worker_lease VALUES ('w', 'me', now() + interval '1 hour'); "
      "INSERT INTO summa_host.worker_fence VALUES ('w', 7)");
  const LeaseGuard guard{"w", "me", 7, seconds(15)};
  InsertAndWaitForStandby();
  EXPECT_EQ(Commit(
                "SyncRep", [&] { End(); }, &guard),
            "committed")
      << message_;
  EXPECT_EQ(Rows(), 1);
}

TEST_F(CommitTest, CommitThatIsStillUnderWayIsEndedAndThenKnown) {
  InsertAndWaitForStandby();
  EXPECT_EQ(Commit("SyncRep", [&] { CutConnection(); }), "committed") << message_;
  EXPECT_TRUE(BackendEnds()) << "it would have waited for ever";
  EXPECT_EQ(Rows(), 1);
}

TEST_F(CommitTest, CommitThatIsStillUnderWayInATriggerIsEndedAndThenKnown) {
  InsertAndWaitInTrigger();
  EXPECT_EQ(Commit("PgSleep", [&] { CutConnection(); }), "SH-0402") << message_;
  EXPECT_TRUE(BackendEnds());
  EXPECT_EQ(Rows(), 0);
}

TEST_F(CommitTest, FrozenBackendStaysUnknownAndAStopIsNotHeldUp) {
  const double before = Counted("unknown");
  InsertAndWaitInTrigger();
  std::chrono::steady_clock::time_point begin;
  const std::string outcome = Commit("PgSleep", [&] {
    kill(session_->backend_pid(), SIGSTOP);
    CutConnection();
    // Told to stop while it asks.
    EXPECT_TRUE(test::BecomesTrue([&] {
      return db_->Count(
                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                 "'summa-host/test commits'") == 1;
    }));
    begin = std::chrono::steady_clock::now();
    session_->Cancel();
  });
  const auto took = std::chrono::steady_clock::now() - begin;
  kill(session_->backend_pid(), SIGCONT);
  EXPECT_EQ(outcome, "SH-0404");
  EXPECT_NE(message_.find("still in progress in backend " + Pid()), std::string::npos) << message_;
  EXPECT_LT(took, seconds(12)) << "3 s after the stop, not 15 s";
  EXPECT_EQ(Counted("unknown"), before + 1);
  EXPECT_TRUE(BackendEnds()) << "the end was asked for";
  EXPECT_EQ(Rows(), 0);
}

TEST_F(CommitTest, ServerThatStaysAwayLeavesItUnknown) {
  InsertAndWaitForStandby();
  const std::string outcome = Commit("SyncRep", [&] {
    OwnServer().StopFast();
    session_->Cancel();
  });
  EXPECT_EQ(outcome, "SH-0404");
  EXPECT_NE(message_.find("no connection to PostgreSQL"), std::string::npos) << message_;
  OwnServer().Start();
  Reconnect();
  EXPECT_EQ(Rows(), 1);
}

TEST_F(CommitTest, IsFoundOutOverARestartOfTheServer) {
  // Unknown when the restart takes longer than the session asks.
  std::string outcome;
  for (int round = 1; round <= 3 && outcome != "committed"; ++round) {
    if (round > 1) session_ = ConnectSession(settings_);
    InsertAndWaitForStandby();
    outcome = Commit("SyncRep", [&] { OwnServer().Restart(); });
    EXPECT_TRUE(outcome == "committed" || outcome == "SH-0404") << outcome << " " << message_;
    Reconnect();
    EXPECT_EQ(Rows(), round);
  }
  EXPECT_EQ(outcome, "committed") << message_;
}

TEST_F(CommitTest, CrashOfTheServerNeverMakesALostCommitASuccess) {
  InsertAndWaitInTrigger();
  const std::string outcome = Commit("PgSleep", [&] {
    db_->Execute("CHECKPOINT");  // or the table would be lost as well
    OwnServer().KillNine();
    OwnServer().Start();
  });
  EXPECT_TRUE(outcome == "SH-0402" || outcome == "SH-0404") << outcome;
  Reconnect();
  EXPECT_EQ(Rows(), 0);
}

TEST_F(CommitTest, NumberThatWasGivenOutAgainAfterACrashIsNotBelieved) {
  test::Db lost(OwnServer().Url(name_));
  lost.Execute("BEGIN");
  const auto row = lost.Query(std::string("SELECT pg_current_xact_id(), ") + kServerLifeColumns);
  InDoubtCommit commit{row[0][0], {1, "0", {row[0][1], row[0][2]}}};
  OwnServer().KillNine();
  OwnServer().Start();
  Reconnect();
  EXPECT_TRUE(test::BecomesTrue([&] {
    return std::stoll(db_->Value("SELECT pg_current_xact_id()")) >=
           std::stoll(commit.transaction_id);
  }));
  ASSERT_EQ(db_->Value("SELECT pg_xact_status($1::xid8)", {commit.transaction_id}), "committed")
      << "somebody else's";
  const CommitResolution resolution = ResolveCommit(settings_, commit, [] { return false; });
  EXPECT_EQ(resolution.outcome, CommitOutcome::kUnknown);
  EXPECT_NE(resolution.why.find("a second time"), std::string::npos) << resolution.why;
}

TEST_F(CommitTest, NumberOfTheFutureIsAnotherServers) {
  const auto row = db_->Query(std::string("SELECT 1, ") + kServerLifeColumns);
  const CommitResolution resolution = ResolveCommit(
      settings_, {"4000000000", {1, "0", {row[0][1], row[0][2]}}}, [] { return false; });
  EXPECT_EQ(resolution.outcome, CommitOutcome::kUnknown);
  EXPECT_NE(resolution.why.find("not yet assigned"), std::string::npos) << resolution.why;
}

}  // namespace
}  // namespace summa::host
