// The partition manager while somebody stands in its way: nobody queues behind it, who it is can be
// read in /readyz, and what had to be done is done when they are gone.
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/integration/maintenance_manager_support.hpp"
#include "tests/integration/maintenance_obstacles.hpp"

namespace summa::maintenance {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr const char* kInsert = "INSERT INTO reading (at, note) VALUES (now(), 'w')";
constexpr const char* kSelect = "SELECT count(*) FROM reading, pg_sleep(0.02)";

class ObstructedTest : public PartitionsTest {
 protected:
  ObstructedTest() {
    // The host waits for as long as it takes others to get through.
    caller_.wait = [this](std::chrono::microseconds) {
      if (traffic_) traffic_->Pass();
      return stop_.load();
    };
  }
  // From here on nothing but the obstacle hinders the manager.
  void Begin(ObstacleKind kind, const std::string& table) {
    settings_.ddl_deadline = std::chrono::milliseconds(300);
    before_ = Readings().size();
    if (kind == ObstacleKind::kPrepared) ++before_;
    obstacle_ = Obstruct(kind, url_, table, kInsert);
    traffic_ = std::make_unique<Traffic>(url_, kInsert, kSelect);
  }
  // Rows for a vacuum to find in the partition of this time.
  void LetAge(const std::string& table, const std::string& at) {
    WraparoundVacuum::LetAge(url_, table,
                             "INSERT INTO reading (at, note) SELECT " + at +
                                 ", repeat(md5(n::text), 45) FROM generate_series(1, 15000) n");
  }
  // As the host does: again and again.
  void Work() {
    while (!stop_) {
      const std::string error = ErrorOfRun();
      if (!error.empty() && !stop_) {
        EXPECT_THAT(error, HasSubstr("SH-0839"));
      }
      traffic_->Pass();
    }
  }
  void Wait(const std::function<bool()>& condition, const std::string& what) {
    if (test::BecomesTrue(condition)) return;
    throw std::runtime_error("waited in vain for " + what + "; the manager says: " + Findings());
  }
  void ExpectNamedWithoutAQueue() {
    Wait([this] { return Findings().find(obstacle_->Name()) != std::string::npos; },
         obstacle_->Name() + " among the findings");
    ExpectNoQueue();
  }
  void ExpectNoQueue() {
    traffic_->Pass();
    EXPECT_EQ(traffic_->Errors(), "");
  }
  void ExpectNothingLost() {
    traffic_->Stop();
    EXPECT_EQ(db_->Count("SELECT count(*) FROM reading"), before_ + traffic_->written());
  }
  bool IsAttached(int month) {
    const std::vector<std::string> names = Attached();
    return std::find(names.begin(), names.end(), NameOfMonth(month)) != names.end();
  }
  bool Pending() {
    return db_->Count("SELECT count(*) FROM pg_inherits WHERE inhdetachpending") > 0;
  }
  // Ranges of which the first is expired, and has rows.
  void UseExpired() {
    UseReading({-5, -4, -3, -2, -1, 0});
    AddReadings(-5, 20);
    settings_.tables[0].ranges.ahead = 0;
    RunManager();
    settings_.tables[0].ranges.retention = std::chrono::hours(24 * 100);
  }
  void ExpectDetached() {
    EXPECT_EQ(db_->Count("SELECT count(*) FROM " + NameOfMonth(-5)), 20);
    before_ -= 20;
    ExpectNothingLost();
  }
  bool IsDetached() { return StateOf(NameOfMonth(-5)) == "detached"; }
  void WaitUntilOlderThan(std::chrono::milliseconds age) {
    Wait(
        [&] {
          return db_->Count(
                     "SELECT count(*) FROM pg_stat_activity WHERE (application_name = "
                     "'obstacle' OR query LIKE 'autovacuum: VACUUM%') AND xact_start < "
                     "clock_timestamp() - interval '" +
                     std::to_string(age.count()) + " ms'") > 0;
        },
        "the obstacle to be old");
  }

  long long before_ = 0;  // rows of the table that are not of the traffic
  std::unique_ptr<Obstacle> obstacle_;
  std::unique_ptr<Traffic> traffic_;
};

class EveryObstacleTest : public ObstructedTest,
                          public testing::WithParamInterface<ObstacleKind> {};

TEST_P(EveryObstacleTest, ARangeAheadWaitsWithoutAQueue) {
  UseReading({0});
  RunManager();
  const bool vacuum = GetParam() == ObstacleKind::kVacuum;
  if (vacuum) LetAge("reading_overflow_high", "now() + interval '20 years'");
  settings_.tables[0].ranges.ahead = 3;
  Begin(GetParam(), vacuum ? "reading_overflow_high" : "reading");
  Background work(stop_, [this] { Work(); });
  ExpectNamedWithoutAQueue();
  EXPECT_FALSE(IsAttached(3));
  obstacle_->End();
  Wait([this] { return IsAttached(3); }, "the range ahead");
  EXPECT_EQ(work.Stop(), "");
  ExpectNothingLost();
}

TEST_P(EveryObstacleTest, ADetachIsNotBegun) {
  UseExpired();
  if (GetParam() == ObstacleKind::kVacuum) LetAge(NameOfMonth(-5), MonthStart(-5));
  settings_.longest_transaction = std::chrono::milliseconds(500);
  const bool vacuum = GetParam() == ObstacleKind::kVacuum;
  Begin(GetParam(), vacuum ? NameOfMonth(-5) : "reading");
  if (GetParam() == ObstacleKind::kReader || GetParam() == ObstacleKind::kCursor) {
    WaitUntilOlderThan(std::chrono::milliseconds(600));
  }
  Background work(stop_, [this] { Work(); });
  ExpectNamedWithoutAQueue();
  EXPECT_TRUE(IsAttached(-5));
  EXPECT_FALSE(Pending());
  obstacle_->End();
  Wait([this] { return IsDetached(); }, "the detach");
  EXPECT_EQ(work.Stop(), "");
  ExpectDetached();
}

INSTANTIATE_TEST_SUITE_P(Everybody, EveryObstacleTest,
                         testing::Values(ObstacleKind::kReader, ObstacleKind::kPrepared,
                                         ObstacleKind::kCursor, ObstacleKind::kVacuum),
                         [](const auto& tested) { return NameOf(tested.param); });

// Who came when the gates had been passed.
class OpenTransactionTest : public ObstructedTest,
                            public testing::WithParamInterface<ObstacleKind> {
 protected:
  OpenTransactionTest() {
    UseExpired();
    settings_.longest_transaction = std::chrono::hours(1);
  }
};

TEST_P(OpenTransactionTest, NobodyQueuesBehindADetachThatWaits) {
  Begin(GetParam(), "reading");
  Background work(stop_, [this] { Work(); });
  Wait(
      [this] {
        return db_->Count(
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%DETACH "
                   "PARTITION%CONCURRENTLY' AND wait_event_type = 'Lock' AND "
                   "pid <> pg_backend_pid()") > 0;
      },
      "a detach that waits");
  ExpectNoQueue();
  EXPECT_FALSE(IsDetached());
  obstacle_->End();
  Wait([this] { return IsDetached(); }, "the detach");
  EXPECT_EQ(work.Stop(), "");
  ExpectDetached();
}

TEST_P(OpenTransactionTest, ADetachThatWasInterruptedNamesWhoIsInItsWay) {
  Begin(GetParam(), "reading");
  settings_.detach_deadline = std::chrono::milliseconds(500);
  Background work(stop_, [this] { Work(); });
  ExpectNamedWithoutAQueue();
  obstacle_->End();
  Wait([this] { return IsDetached(); }, "the detach");
  EXPECT_EQ(work.Stop(), "");
  ExpectDetached();
}

INSTANTIATE_TEST_SUITE_P(Kinds, OpenTransactionTest,
                         testing::Values(ObstacleKind::kReader, ObstacleKind::kCursor),
                         [](const auto& tested) { return NameOf(tested.param); });

// A partition is attached beside everybody, where no overflow partition has to give up its range.
class AttachTest : public ObstructedTest, public testing::WithParamInterface<ObstacleKind> {};

TEST_P(AttachTest, PassesBesideOthers) {
  UseReading({0});
  Begin(GetParam(), "reading");
  EXPECT_EQ(ErrorOfRun(), "");
  ExpectNoQueue();
  EXPECT_TRUE(IsAttached(2));
  EXPECT_THAT(Attached(), Contains("reading_overflow_high"));
  obstacle_->End();
  ExpectNothingLost();
}

INSTANTIATE_TEST_SUITE_P(Kinds, AttachTest,
                         testing::Values(ObstacleKind::kReader, ObstacleKind::kPrepared,
                                         ObstacleKind::kCursor),
                         [](const auto& tested) { return NameOf(tested.param); });

TEST_F(ObstructedTest, AVacuumOfAnotherPartitionIsInNobodysWay) {
  UseExpired();
  LetAge(NameOfMonth(0), MonthStart(0));
  settings_.tables[0].ranges.ahead = 2;
  settings_.longest_transaction = std::chrono::milliseconds(500);
  Begin(ObstacleKind::kVacuum, NameOfMonth(0));
  WaitUntilOlderThan(std::chrono::milliseconds(600));
  Background work(stop_, [this] { Work(); });
  Wait([this] { return IsAttached(2) && IsDetached(); }, "the new range and the detach");
  ExpectNoQueue();
  EXPECT_EQ(work.Stop(), "");
  EXPECT_TRUE(static_cast<WraparoundVacuum&>(*obstacle_).Runs());
  ExpectDetached();
}

TEST_F(ObstructedTest, ACursorThatIsHeldAfterItsTransactionIsInNobodysWay) {
  UseReading({0});
  AddReadings(0, 10);
  RunManager();
  settings_.tables[0].ranges.ahead = 3;
  Begin(ObstacleKind::kReader, "reading");
  Db holder(url_);
  holder.Execute(
      "BEGIN; DECLARE place CURSOR WITH HOLD FOR SELECT * FROM reading WHERE note <> 'w'; COMMIT");
  obstacle_->End();
  Background work(stop_, [this] { Work(); });
  Wait([this] { return IsAttached(3); }, "the range ahead");
  EXPECT_EQ(work.Stop(), "");
  EXPECT_EQ(holder.Query("FETCH ALL FROM place").size(), 10u);
  ExpectNothingLost();
}

}  // namespace
}  // namespace summa::maintenance
