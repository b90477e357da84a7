// The exchange of the migration of ledger_event while somebody stands in its way: nobody queues
// behind it, who it is can be read in `--status`, and nothing is lost when they are gone.
#include <chrono>
#include <summa/ledger/exchange.hpp>
#include <thread>
#include <tuple>

#include "tests/integration/maintenance_migration_support.hpp"
#include "tests/integration/maintenance_obstacles.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kInsert =
    "INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
    "event_data, correlation_id, hash) VALUES ('account', gen_random_uuid(), 1, 'x', '{}', "
    "gen_random_uuid(), 'h')";
constexpr const char* kInsertMuch =
    "INSERT INTO ledger_event (sequence_number, aggregate_type, aggregate_id, aggregate_version, "
    "event_type, event_data, correlation_id, hash) SELECT 1000000000 + n, 'account', "
    "gen_random_uuid(), 1, 'x', jsonb_build_object('x', repeat(md5(n::text), 40)), "
    "gen_random_uuid(), 'h' FROM generate_series(1, 15000) n";
constexpr const char* kSelect = "SELECT count(*) FROM ledger_event, pg_sleep(0.02)";

constexpr const char* kView = "CREATE VIEW recent AS SELECT id, hash FROM ledger_event";
// Locks the view, and not its table.
constexpr const char* kComment = "COMMENT ON VIEW recent IS 'the latest events'";

using Case = std::tuple<const char*, ObstacleKind>;

class ExchangeTest : public MigrationTest {
 protected:
  std::string Blockers(Db& db) { return db.Value("SELECT waiting_for FROM summa_host.migration"); }
  // The host waits for as long as it takes others to get through.
  void RunBeside(const Traffic& traffic) {
    Run([&] {
      traffic.Pass();
      fake_.Advance(std::chrono::milliseconds(200));
    });
  }
};

class ObstructedExchangeTest : public ExchangeTest, public testing::WithParamInterface<Case> {};

TEST_P(ObstructedExchangeTest, WaitsWithoutAQueueAndNamesWhoIsInTheWay) {
  const auto [strategy, kind] = GetParam();
  if (kind == ObstacleKind::kVacuum) {
    WraparoundVacuum::LetAge(settings_.url, "ledger_event", kInsertMuch);
  }
  Start(false, strategy);
  Run();
  ASSERT_EQ(State(), "ready");
  const long long before = db_->Count("SELECT count(*) FROM ledger_event");
  Request("swap");

  const auto obstacle = Obstruct(kind, settings_.url, "ledger_event", kInsert);
  Traffic traffic(settings_.url, kInsert, kSelect);
  Background work(stop_, [&] { RunBeside(traffic); });
  Db look(settings_.url);
  // More than the events that are compared under the lock: then they have to be sealed before.
  for (const long long written : {0, 200}) {
    test::WaitUntil(
        [&] {
          return traffic.written() >= written &&
                 Blockers(look).find(obstacle->Name()) != std::string::npos;
        },
        test::kTimeout, obstacle->Name() + " among the blockers");
    traffic.Pass();
    EXPECT_EQ(traffic.Errors(), "");
  }
  EXPECT_EQ(look.Value("SELECT state FROM summa_host.migration"), "ready");
  EXPECT_FALSE(work.ended());
  obstacle->End();

  test::WaitUntil([&] { return work.ended(); }, test::kTimeout, "the exchange");
  EXPECT_EQ(work.Wait(), "");
  traffic.Stop();
  EXPECT_EQ(State(), "swapped");
  ASSERT_TRUE(IsPartitioned());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event"),
            before + traffic.written() + (kind == ObstacleKind::kPrepared ? 1 : 0));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event e FULL JOIN summa_host.ledger_event_key "
                       "k ON k.id = e.id AND k.position = e.sequence_number WHERE e.id IS NULL OR "
                       "k.id IS NULL"),
            0);
  if (strategy == std::string("online")) {
    EXPECT_EQ(Rows("ledger_event"), Rows("ledger_event_old"));
  }
}

class ExchangeUnderViewTest : public ExchangeTest,
                              public testing::WithParamInterface<const char*> {};

// A reader of a view has locked it before it asks for the table.
TEST_P(ExchangeUnderViewTest, TakesTheViewBeforeTheTable) {
  db_->Execute(kView);
  Start(false, GetParam());
  Run();
  ASSERT_EQ(State(), "ready");
  Request("swap");

  OpenTransaction obstacle(settings_.url, kComment);
  Traffic traffic(settings_.url, kInsert, kSelect);
  Background work(stop_, [&] { RunBeside(traffic); });
  Db look(settings_.url);
  const std::string who = obstacle.Name();
  test::WaitUntil(
      [&] {
        const std::string blockers = Blockers(look);
        return blockers.find(who) != std::string::npos &&
               blockers.find("on public.recent") != std::string::npos;
      },
      test::kTimeout, who + " among the blockers");
  obstacle.End();

  test::WaitUntil([&] { return work.ended(); }, test::kTimeout, "the exchange");
  EXPECT_EQ(work.Wait(), "");
  traffic.Stop();
  EXPECT_EQ(traffic.Errors(), "");
  EXPECT_EQ(State(), "swapped");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM recent"),
            db_->Count("SELECT count(*) FROM ledger_event"));
}

// Two sessions whose transactions take seconds and overlap, as those of verification.
class OverlappingReaders {
 public:
  static constexpr std::chrono::milliseconds kTransaction{3000};

  explicit OverlappingReaders(const summa_sql_v1* sql)
      : first_(stop_, [=, this] { Read(sql); }), second_(stop_, [=, this] {
          std::this_thread::sleep_for(kTransaction / 2);
          Read(sql);
        }) {}
  int transactions() const { return transactions_; }
  std::string Stop() {
    stop_ = true;
    return first_.Stop() + second_.Stop();
  }

 private:
  void Read(const summa_sql_v1* sql) {
    while (!stop_) {
      Session session(sql);
      const bool goes_on = ledger::GiveWay(session, [this](std::chrono::microseconds time) {
        std::this_thread::sleep_for(time);
        return stop_.load();
      });
      if (!goes_on) return;
      session.Begin(SUMMA_SQL_READ_ONLY);
      session.Exec("SELECT count(*) FROM ledger_event");
      ++transactions_;
      std::this_thread::sleep_for(kTransaction);
      session.Rollback();
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<int> transactions_{0};
  Background first_, second_;
};

// Its limits leave it half a second without anybody who reads for long.
TEST_F(ExchangeTest, LongReadersThatFollowEachOtherGiveWay) {
  Start();
  Run();
  ASSERT_EQ(State(), "ready");
  OverlappingReaders readers(sql());
  test::WaitUntil([&] { return readers.transactions() >= 2; }, test::kTimeout, "both readers");
  Request("swap");
  Run([] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); });
  EXPECT_EQ(State(), "swapped");
  const int before = readers.transactions();
  test::WaitUntil([&] { return readers.transactions() >= before + 2; }, test::kTimeout,
                  "both readers after the exchange");
  EXPECT_EQ(readers.Stop(), "");
}

INSTANTIATE_TEST_SUITE_P(BothStrategies, ExchangeUnderViewTest, testing::Values("online", "attach"),
                         [](const auto& tested) { return std::string(tested.param); });

INSTANTIATE_TEST_SUITE_P(
    Everybody, ObstructedExchangeTest,
    testing::Combine(testing::Values("online", "attach"),
                     testing::Values(ObstacleKind::kReader, ObstacleKind::kPrepared,
                                     ObstacleKind::kCursor, ObstacleKind::kVacuum)),
    [](const auto& tested) {
      return std::string(std::get<0>(tested.param)) + NameOf(std::get<1>(tested.param));
    });

}  // namespace
}  // namespace summa::maintenance
