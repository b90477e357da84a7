// Readers and our own append on a guarded table: they look into the tables of the guard instead of
// every partition, and lose nothing by it.
#include <summa/ledger/append.hpp>
#include <summa/ledger/reader.hpp>

#include <chrono>

#include "tests/integration/maintenance_guard_support.hpp"

namespace summa::maintenance {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::hours kNever{24};
constexpr const char* kMay = "2026-05-15 12:00:00+00";

class GuardReadingTest : public GuardTest {
 protected:
  void SetUp() override {
    GuardTest::SetUp();
    Guard();
    events_.partitioned = true;
  }
  ledger::EventReader Reader(std::chrono::microseconds every_partition = kNever) const {
    ledger::EventReader::Limits limits;
    limits.every_partition = every_partition;
    return {events_, {}, limits};
  }
  // Of one poll: aggregate and version, in the order of delivery.
  std::vector<std::string> Poll(ledger::EventReader& reader) {
    Session session(sql_->unleased());
    std::vector<std::string> delivered;
    reader.Poll(session, [&](const ledger::StoredEvent& event) {
      delivered.push_back(std::to_string(event.aggregate_id.bytes[15]) + "." +
                          std::to_string(event.version));
    });
    return delivered;
  }
};

INSTANTIATE_TEST_SUITE_P(Layouts, GuardReadingTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& each) {
                           return each.param == ledger::Layout::kPlan ? "Plan" : "Deployed";
                         });

TEST_P(GuardReadingTest, AnEventOfAnyTimeIsFoundByItsKey) {
  ledger::EventReader reader = Reader();
  EXPECT_THAT(Poll(reader), IsEmpty()) << "every partition is read first";
  db_->Execute(Insert(1, 1, kFebruary));
  db_->Execute(Insert(2, 1, "1999-01-01 00:00:00+00"));
  db_->Execute(Insert(3, 1, kMay));
  EXPECT_THAT(Poll(reader), ElementsAre("1.1", "2.1", "3.1"));
  EXPECT_THAT(Poll(reader), IsEmpty());
}

TEST_P(GuardReadingTest, AnEventThatCommitsLateIsFoundInItsHole) {
  ledger::EventReader reader = Reader();
  Poll(reader);
  Db late(url_), gone(url_);
  late.Execute("BEGIN");
  late.Execute(Insert(1, 1, kJanuary));
  gone.Execute("BEGIN");
  gone.Execute(Insert(2, 1));
  gone.Execute("ROLLBACK");
  db_->Execute(Insert(3, 1, kFebruary));
  EXPECT_THAT(Poll(reader), ElementsAre("3.1"));
  EXPECT_EQ(reader.checkpoint().holes.size(), 1U);
  late.Execute("COMMIT");
  EXPECT_THAT(Poll(reader), ElementsAre("1.1"));
  EXPECT_EQ(reader.checkpoint().holes.size(), 1U) << "closed only when every partition is read";

  ledger::EventReader whole(events_, reader.checkpoint(), {});
  EXPECT_THAT(Poll(whole), IsEmpty());
  EXPECT_THAT(whole.checkpoint().holes, IsEmpty());
}

// As long as the trigger was off.
TEST_P(GuardReadingTest, AnEventWithoutAKeyComesWhenEveryPartitionIsRead) {
  ledger::EventReader reader = Reader();
  Poll(reader);
  db_->Execute("ALTER TABLE january DISABLE TRIGGER zz_summa_guard");
  db_->Execute(Insert(1, 1, kJanuary));
  db_->Execute("ALTER TABLE january ENABLE ALWAYS TRIGGER zz_summa_guard");
  db_->Execute(Insert(2, 1, kFebruary));
  EXPECT_THAT(Poll(reader), ElementsAre("2.1"));
  ledger::EventReader whole(events_, reader.checkpoint(), {});
  EXPECT_THAT(Poll(whole), ElementsAre("1.1"));

  db_->Execute("ALTER TABLE january DISABLE TRIGGER zz_summa_guard");
  db_->Execute(Insert(3, 1, kJanuary));
  ledger::EventReader always = Reader(std::chrono::microseconds(0));
  EXPECT_THAT(Poll(always), ElementsAre("1.1", "2.1", "3.1"));
}

TEST_P(GuardReadingTest, AKeyWithoutItsEventLetsEveryPartitionBeRead) {
  ledger::EventReader reader = Reader();
  Poll(reader);
  db_->Execute(Insert(1, 1, kJanuary));
  db_->Execute(Insert(2, 1, kFebruary));
  db_->Execute("ALTER TABLE ledger_event DETACH PARTITION january");
  EXPECT_THAT(Poll(reader), ElementsAre("2.1"));
}

TEST_P(GuardReadingTest, WithoutTheGuardEveryPartitionIsRead) {
  db_->Execute("ALTER TABLE ledger_event DISABLE TRIGGER zz_summa_guard");
  ledger::EventReader reader = Reader();
  Poll(reader);
  db_->Execute(Insert(1, 1, kJanuary));
  EXPECT_THAT(Poll(reader), ElementsAre("1.1"));
}

TEST_P(GuardReadingTest, OurAppendFollowsTheHead) {
  if (GetParam() == ledger::Layout::kDeployed) GTEST_SKIP() << "skipped: Summa appends itself";
  ledger::NewEvent event;
  event.aggregate_type = "account";
  event.aggregate_id = *ParseUuid(Aggregate(1));
  event.event_type = "E";
  event.event_data = "{}";
  event.correlation_id = Aggregate(0);
  const auto append = [&] {
    return InTransaction([&](Session& session) {
      return ledger::Append(session, events_, std::vector<ledger::NewEvent>{event}, "")[0].version;
    });
  };
  EXPECT_EQ(append(), 1);
  EXPECT_EQ(append(), 2);
  const std::string leaf =
      db_->Value("SELECT tableoid::regclass FROM ledger_event ORDER BY 1 LIMIT 1");
  db_->Execute("ALTER TABLE " + leaf + " DISABLE TRIGGER zz_summa_guard");
  EXPECT_EQ(append(), 3);
  EXPECT_EQ(append(), 4) << "of this partition, the guard has heard nothing";
  db_->Execute("DELETE FROM " + leaf + " WHERE " + events_.version + " > 2");
  db_->Execute("ALTER TABLE " + leaf + " ENABLE ALWAYS TRIGGER zz_summa_guard");
  // It is the guard that refuses what the partitions alone would let through.
  db_->Execute("ALTER TABLE ledger_event DISABLE TRIGGER zz_summa_guard");
  EXPECT_EQ(append(), 3) << "without the guard, the partitions are searched";
  db_->Execute("DELETE FROM summa_host.ledger_event_head");
  db_->Execute("ALTER TABLE ledger_event ENABLE ALWAYS TRIGGER zz_summa_guard");
  EXPECT_THROW(append(), Error) << "no head: the partitions are searched, and the guard refuses";
}

}  // namespace
}  // namespace summa::maintenance
