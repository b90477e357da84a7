// Leases while the database is slow, frozen or away.
#include <signal.h>

#include "tests/integration/lease_support.hpp"

namespace summa::host {
namespace {

TEST_F(LeaseTest, SurvivesTheLossOfItsConnections) {
  auto keeper = Keeper("a");
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(9)));
  for (int i = 0; i < 3; ++i) {
    const std::string before = Until();
    db_->Execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name "
        "LIKE 'summa-host/test %' AND datname = current_database()");
    EXPECT_TRUE(test::BecomesTrue([&] { return Until() != before; }));
    EXPECT_EQ(keeper->TryAcquire("w", seconds(9))->fence, 1);
  }
  EXPECT_TRUE(keeper->Trusted("w"));
  EXPECT_EQ(Lost(), 0);
}

// While it lives, opening a connection takes longer than a renewal of a short lease may take.
class SlowToOpen {
 public:
  SlowToOpen(test::Db& db, const std::string& url) : db_(db) {
    Set("ALTER SYSTEM SET post_auth_delay = 1");
    test::WaitUntil([&] { return test::Db(url).Value("SHOW post_auth_delay") == "1s"; },
                    test::kTimeout, "slow connections");
  }
  ~SlowToOpen() { Set("ALTER SYSTEM RESET post_auth_delay"); }
  SlowToOpen(const SlowToOpen&) = delete;
  SlowToOpen& operator=(const SlowToOpen&) = delete;

 private:
  void Set(const std::string& statement) {
    db_.Execute(statement);
    db_.Execute("SELECT pg_reload_conf()");
  }
  test::Db& db_;
};

TEST_F(LeaseTest, AShortLeaseIsKeptAgainAfterItsConnectionsToASlowServerWereLost) {
  auto keeper = Keeper("a");
  TakeShort(*keeper, "w", milliseconds(900));
  ASSERT_TRUE(test::BecomesTrue([&] { return RenewalBackend() != "0"; }));
  const SlowToOpen slow(*db_, settings_.url);
  db_->Execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'summa-host/test %' AND datname = current_database()");
  EXPECT_TRUE(test::BecomesTrue([&] { return !keeper->Trusted("w"); }));
  // One of the next leases is renewed.
  EXPECT_TRUE(test::BecomesTrue([&] {
    TakeShort(*keeper, "w", milliseconds(900));
    const std::string before = Until();
    test::BecomesTrue([&] { return Until() != before || !keeper->Trusted("w"); });
    return Until() != before;
  }));
}

TEST_F(LeaseTest, FrozenServerEndsTrustBeforeTheLeaseAndIsReportedOnce) {
  std::atomic<int> lost{0};
  auto keeper = std::make_unique<LeaseKeeper>(settings_, "a", SystemClock(),
                                              [&](const std::string&) { ++lost; });
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(6)));
  ASSERT_TRUE(test::BecomesTrue([&] { return RenewalBackend() != "0"; }));
  const pid_t postmaster = Server().Pid();
  const int backend = std::stoi(RenewalBackend());
  kill(postmaster, SIGSTOP);  // no new connections
  kill(backend, SIGSTOP);     // no answers on the old one
  // By the clock that the server has, too. A look counts from before it: it may end late.
  UnixTime last_trusted;
  const bool heard = test::BecomesTrue([&] {
    const UnixTime before = SystemClock().UnixNow();
    if (keeper->Trusted("w")) last_trusted = before;
    return lost > 0;
  });
  const std::int64_t leased_until =
      db_->Count("SELECT (extract(epoch FROM lease_until) * 1000000)::bigint FROM worker_lease");
  kill(backend, SIGCONT);
  kill(postmaster, SIGCONT);
  EXPECT_TRUE(heard);
  EXPECT_LT(ToMicroseconds(last_trusted), leased_until);
  EXPECT_FALSE(keeper->Trusted("w"));
  const auto again = keeper->TryAcquire("w", seconds(15));
  ASSERT_TRUE(again);
  EXPECT_EQ(lost, 1);
}

TEST_F(LeaseTest, StopsAtOnceWhileTheServerIsFrozen) {
  // A renewal waits for its answer up to 2 s. A busy machine makes each round slower, none quicker:
  // one quick round is enough.
  auto took = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 5 && took >= seconds(1); ++round) {
    auto keeper = Keeper("a");
    ASSERT_TRUE(keeper->TryAcquire("w", seconds(30)));
    TakeShort(*keeper, "v", milliseconds(600));
    ASSERT_TRUE(test::BecomesTrue([&] { return RenewalBackend() != "0"; }));
    const int backend = std::stoi(RenewalBackend());
    kill(backend, SIGSTOP);
    const auto start = std::chrono::steady_clock::now();
    keeper.reset();
    kill(backend, SIGCONT);
    took = std::chrono::steady_clock::now() - start;
    db_->Execute("DELETE FROM worker_lease");
  }
  EXPECT_LT(took, seconds(1));
}

TEST_F(LeaseTest, EndsAlsoWhileItTellsOfALostLease) {
  std::atomic<bool> telling{false}, ending{false};
  auto keeper =
      std::make_unique<LeaseKeeper>(settings_, "a", SystemClock(), [&](const std::string&) {
        telling = true;
        // Nobody can see that the keeper waits for this call: it has been told to end, or soon is.
        test::BecomesTrue([&] { return ending.load(); });
        std::this_thread::sleep_for(milliseconds(200));
      });
  TakeShort(*keeper, "w", milliseconds(600));
  db_->Execute("UPDATE worker_lease SET lease_holder = 'other'");
  ASSERT_TRUE(test::BecomesTrue([&] { return telling.load(); }));
  ending = true;
  keeper.reset();  // would wait for ever
}

TEST_F(LeaseTest, LockedRowIsRenewedLaterAndCannotBeTaken) {
  auto keeper = Keeper("a"), other = Keeper("b");
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(30)));
  test::Db committer(settings_.url);
  committer.Execute("BEGIN; SELECT FROM worker_lease WHERE worker_id = 'w' FOR SHARE");
  const std::string before = Until();
  // The first renewal comes after a third of it and gives way to the lock.
  EXPECT_TRUE(test::BecomesTrue([&] {
    return db_->Count(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '% "
               "renewals' AND wait_event_type = 'Lock' AND datname = current_database()") > 0;
  }));
  EXPECT_EQ(Until(), before);
  EXPECT_FALSE(other->TryAcquire("w", seconds(30)));
  committer.Execute("COMMIT");
  EXPECT_TRUE(test::BecomesTrue([&] { return Until() != before; }));
  EXPECT_TRUE(keeper->Trusted("w"));
  EXPECT_EQ(Lost(), 0);
}

TEST_F(LeaseTest, SaysThatTheDatabaseCannotBeAsked) {
  settings_.url = Server().Url("nosuch");
  auto keeper = Keeper("a");
  EXPECT_EQ(CatchSql([&] { keeper->TryAcquire("w", seconds(15)); }).error().code, "SH-0401");
  EXPECT_FALSE(keeper->WaitUntilFree("w", milliseconds(100), [] { return false; }));
}

TEST_F(LeaseTest, SaysThatTheDatabaseIsNotMigrated) {
  db_->Execute("DROP SCHEMA summa_host CASCADE");
  auto keeper = Keeper("a");
  EXPECT_EQ(CatchSql([&] { keeper->TryAcquire("w", seconds(15)); }).error().code, "SH-0412");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM worker_lease"), 0);
}

}  // namespace
}  // namespace summa::host
