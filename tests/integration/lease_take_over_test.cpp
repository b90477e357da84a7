// Taking a lease whose former holder has gone and left its row locked.
#include <libpq-fe.h>
#include <signal.h>

#include <optional>
#include <thread>

#include "host/observe/log.hpp"
#include "host/observe/metrics.hpp"
#include "tests/integration/lease_support.hpp"

namespace summa::host {
namespace {

class TakeOverTest : public LeaseTest {
 protected:
  TakeOverTest() {
    db_->Execute(
        "CREATE TABLE item (id integer); INSERT INTO worker_lease VALUES ('w', 'old', now() - "
        "interval '1 s'); INSERT INTO summa_host.worker_fence VALUES ('w', 1)");
  }
  // A session of the former holder that has locked the rows as a guarded commit does.
  std::unique_ptr<test::Db> Guarded(const std::string& application) {
    auto session = std::make_unique<test::Db>(settings_.url);
    session->Query("SELECT set_config('application_name', $1, false)", {application});
    session->Execute(
        "BEGIN; SELECT FROM worker_lease l JOIN summa_host.worker_fence f ON f.worker = "
        "l.worker_id WHERE l.worker_id = 'w' FOR SHARE");
    return session;
  }
  // R1: no timeout of the server ends a COPY that nobody feeds.
  void StallInCopy(test::Db& session, const char* copy, const char* wait) {
    // In one message: the session never idles under the limit.
    const std::string statements =
        "SET LOCAL statement_timeout = '3s'; SET LOCAL idle_in_transaction_session_timeout = "
        "'3s'; ";
    ASSERT_EQ(PQsendQuery(session.Handle(), (statements + copy).c_str()), 1);
    ASSERT_TRUE(test::BecomesTrue([&] { return Stalls(session, wait, "0 s"); })) << wait;
    ASSERT_TRUE(test::BecomesTrue([&] { return Stalls(session, wait, "4 s"); })) << wait;
    EXPECT_TRUE(Lives(session)) << "a timeout ended it";
  }
  // In a statement that began so long ago.
  bool Stalls(const test::Db& session, const char* wait, const char* for_so_long) {
    return db_->Count(
               "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int AND state = 'active' "
               "AND wait_event = $2 AND query_start <= clock_timestamp() - $3::interval",
               {std::to_string(session.BackendPid()), wait, for_so_long}) == 1;
  }
  // One attempt ends with lock_timeout, and what is in the way may not have been found by then.
  // Every worker asks again.
  static std::optional<LeaseGuard> Takes(LeaseKeeper& keeper) {
    std::optional<LeaseGuard> guard;
    test::BecomesTrue([&] { return (guard = keeper.TryAcquire("w", seconds(15))).has_value(); });
    return guard;
  }
  // The log of attempts until `code` was logged: each ends with lock_timeout, which may be before
  // it is known who blocks it.
  static std::string LogUntil(LeaseKeeper& keeper, const std::string& code) {
    ForgetRepeats();
    std::string log;
    test::BecomesTrue([&] {
      log += LogOfAnAttempt(keeper);
      return log.find(code) != std::string::npos;
    });
    return log;
  }
  static std::string LogOfAnAttempt(LeaseKeeper& keeper) {
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(keeper.TryAcquire("w", seconds(15)));
    FlushLog();
    return ::testing::internal::GetCapturedStderr();
  }
  // Else lines of the tests before hold back those of this one, and are written in between.
  static void ForgetRepeats() {
    BeginAnswer();
    FlushLog();
  }
  bool Lives(const test::Db& session) {
    return db_->Count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int",
                      {std::to_string(session.BackendPid())}) == 1;
  }
  // A counter of this process.
  static double Metric(const std::string& series) {
    const std::string text = MetricsText();
    const std::size_t at = text.find(series + " ");
    return at == std::string::npos ? 0 : std::stod(text.substr(at + series.size() + 1));
  }
  static double Ended() { return Metric("summa_lease_takeovers_total{worker=\"w\"}"); }
  static double Renewals(const std::string& outcome) {
    return Metric("summa_lease_renewals_total{outcome=\"" + outcome + "\"}");
  }
};

TEST_F(TakeOverTest, EndsTheFormerHoldersSessionThatIsStalledInACopyIn) {
  const double before = Ended();
  auto former = Guarded("summa-host/old");
  StallInCopy(*former, "COPY item FROM STDIN", "ClientRead");
  auto keeper = Keeper("new");
  const auto guard = Takes(*keeper);
  ASSERT_TRUE(guard);
  EXPECT_EQ(guard->fence, 2);
  EXPECT_TRUE(keeper->Trusted("w"));
  EXPECT_TRUE(test::BecomesTrue([&] { return !Lives(*former); }));
  EXPECT_EQ(Ended(), before + 1);
}

TEST_F(TakeOverTest, EndsTheFormerHoldersSessionWhoseClientStoppedReading) {
  auto former = Guarded("summa-host/old");
  StallInCopy(*former, "COPY (SELECT repeat('x', 10000000)) TO STDOUT", "ClientWrite");
  auto keeper = Keeper("new");
  ASSERT_TRUE(Takes(*keeper));
  EXPECT_TRUE(test::BecomesTrue([&] { return !Lives(*former); }));
}

TEST_F(TakeOverTest, EndsEveryOneOfSeveralSessions) {
  auto first = Guarded("summa-host/old"), second = Guarded("summa-host/old commits");
  auto keeper = Keeper("new");
  ASSERT_TRUE(Takes(*keeper));
  EXPECT_TRUE(test::BecomesTrue([&] { return !Lives(*first) && !Lives(*second); }));
}

// It does not go before it runs again, and every look tells it again.
TEST_F(TakeOverTest, CountsASessionThatStandsStillOnce) {
  const double before = Ended();
  auto former = Guarded("summa-host/old");
  const pid_t pid = former->BackendPid();
  kill(pid, SIGSTOP);
  auto keeper = Keeper("new");
  ForgetRepeats();
  ::testing::internal::CaptureStderr();
  test::BecomesTrue([&] {
    EXPECT_FALSE(keeper->TryAcquire("w", seconds(15)));
    return Ended() > before;
  });
  EXPECT_FALSE(keeper->TryAcquire("w", seconds(15)));
  EXPECT_FALSE(keeper->TryAcquire("w", seconds(15)));
  kill(pid, SIGCONT);
  FlushLog();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(Ended(), before + 1);
  EXPECT_NE(log.find("SH-0306"), std::string::npos) << log;
  EXPECT_EQ(log.find("SH-0306"), log.rfind("SH-0306")) << log;
  EXPECT_TRUE(Takes(*keeper));
  EXPECT_EQ(Ended(), before + 1);
}

TEST_F(TakeOverTest, LeavesForeignSessionsAloneAndNamesThemOnce) {
  auto node = Guarded("ledger-service");
  auto keeper = Keeper("new");
  std::string log = LogUntil(*keeper, "SH-0307");
  log += LogOfAnAttempt(*keeper);
  EXPECT_NE(log.find("SH-0307"), std::string::npos) << log;
  EXPECT_NE(log.find("backend=" + std::to_string(node->BackendPid())), std::string::npos) << log;
  EXPECT_NE(log.find("application=ledger-service"), std::string::npos) << log;
  EXPECT_EQ(log.find("SH-0307"), log.rfind("SH-0307")) << log;
  EXPECT_TRUE(Lives(*node));
  node->Execute("COMMIT");
  EXPECT_TRUE(keeper->TryAcquire("w", seconds(15)));
}

TEST_F(TakeOverTest, NeverEndsTheCommitOfAHolderWhoseTimeIsNotOver) {
  db_->Execute("UPDATE worker_lease SET lease_until = now() + interval '1 hour'");
  auto holder = Guarded("summa-host/old");
  auto keeper = Keeper("new");
  EXPECT_FALSE(keeper->TryAcquire("w", seconds(15)));
  EXPECT_TRUE(Lives(*holder));
  // Nor its own: a commit may be under way while the lease is asked for again.
  auto own = Keeper("old");
  EXPECT_FALSE(own->TryAcquire("w", seconds(15)));
  EXPECT_TRUE(Lives(*holder));
}

TEST_F(TakeOverTest, NamesASessionThatTheRoleMayNotEnd) {
  db_->Execute(
      "DROP ROLE IF EXISTS weak_host; CREATE ROLE weak_host LOGIN; GRANT USAGE ON SCHEMA public, "
      "summa_host TO weak_host; GRANT ALL ON worker_lease, summa_host.worker_fence TO weak_host");
  auto former = Guarded("summa-host/old");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "weak_host");
  auto keeper = Keeper("new");
  const std::string log = LogUntil(*keeper, "SH-0307");
  EXPECT_NE(log.find("SH-0307"), std::string::npos) << log;
  EXPECT_NE(log.find("this role may not end"), std::string::npos) << log;
  EXPECT_TRUE(Lives(*former));
  former->Execute("ROLLBACK");
  EXPECT_TRUE(keeper->TryAcquire("w", seconds(15)));
  keeper.reset();
  db_->Execute("DROP OWNED BY weak_host; DROP ROLE weak_host");
}

TEST_F(TakeOverTest, RenewalsAreCounted) {
  const double renewed = Renewals("renewed");
  const double lost = Renewals("lost");
  auto keeper = Keeper("new");
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(15)));  // renewed at a third of it
  EXPECT_TRUE(test::BecomesTrue([&] { return Renewals("renewed") > renewed; }));
  db_->Execute("UPDATE worker_lease SET lease_holder = 'thief'");
  EXPECT_TRUE(test::BecomesTrue([&] { return Renewals("lost") == lost + 1; }));
}

}  // namespace
}  // namespace summa::host
