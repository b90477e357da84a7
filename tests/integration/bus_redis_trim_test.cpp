// Trimming a real Redis: nothing that a group still needs is removed, and who holds it is named.
#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::IsEmpty;

constexpr std::chrono::microseconds kNoWait{0};
constexpr std::chrono::hours kRetention{48};

class BusRedisTrim : public BusRedis {
 protected:
  void SetUp() override {
    BusRedis::SetUp();
    bus_ = MakeBus();
    // Entries of 1970 are older than every retention. Redis trims whole nodes of 100 entries.
    for (int i = 1; i <= 1000; ++i) {
      redis_->Command({"XADD", "summa:stream:a", std::to_string(i) + "-1", "id", std::to_string(i),
                       "payload", "{}"});
    }
  }
  // A group that has read and acknowledged the first `count` entries, and holds `pending` of them.
  void Group(const std::string& group, std::size_t count, std::size_t pending = 0) {
    const auto subscription = bus_->Subscribe("a", group, "c");
    std::vector<std::string> ids;
    while (ids.size() < count) {
      for (const auto& delivery : subscription->Poll(count - ids.size(), kNoWait)) {
        ids.emplace_back(FromAbi(delivery.delivery_id));
      }
    }
    std::vector<summa_str> acks;
    for (std::size_t i = 0; i + pending < ids.size(); ++i) acks.push_back(ToAbi(ids[i]));
    subscription->Ack(acks);
  }
  long long Left() { return redis_->StreamLength("summa:stream:a"); }

  std::unique_ptr<RedisBus> bus_;
};

TEST_F(BusRedisTrim, WhatEveryGroupHasHandledAndIsOldEnoughIsRemoved) {
  Group("g", 1000);
  Group("h", 1000);
  Batch batch;
  batch.Add("a", "young");
  EXPECT_FALSE(batch.Publish(*bus_));
  const TrimReport report = bus_->MakeAdmin().Trim("a", kRetention, false);
  EXPECT_EQ(report.held_by, "");
  EXPECT_EQ(report.removed, 1000);
  EXPECT_EQ(Left(), 1);
}

TEST_F(BusRedisTrim, AGroupThatHasNotReadHoldsTrimmingAndIsNamed) {
  Group("fast", 1000);
  Group("slow", 500);
  const TrimReport report = bus_->MakeAdmin().Trim("a", kRetention, false);
  EXPECT_EQ(report.held_by, "slow");
  EXPECT_GT(report.held_seconds, 0);
  EXPECT_EQ(report.removed, 500);
  const auto rest = bus_->Subscribe("a", "slow", "c");
  EXPECT_EQ(rest->Poll(1000, kNoWait).size(), 500U);
}

TEST_F(BusRedisTrim, APendingEntryHoldsTrimming) {
  Group("g", 1000, 300);
  const TrimReport report = bus_->MakeAdmin().Trim("a", kRetention, false);
  EXPECT_EQ(report.held_by, "g");
  EXPECT_EQ(report.below_id, "701-1");
  EXPECT_EQ(report.removed, 700);
}

TEST_F(BusRedisTrim, ADryRunCountsAndChangesNothing) {
  Group("g", 450);
  const TrimReport report = bus_->MakeAdmin().Trim("a", kRetention, true);
  EXPECT_EQ(report.removed, 450);
  EXPECT_EQ(Left(), 1000);
}

TEST_F(BusRedisTrim, WhatIsYoungerThanTheRetentionStaysThoughEverybodyHasIt) {
  redis_->Command({"DEL", "summa:stream:a"});
  for (int i = 0; i < 300; ++i) redis_->Command({"XADD", "summa:stream:a", "*", "id", "1"});
  Group("g", 300);
  EXPECT_EQ(bus_->MakeAdmin().Trim("a", kRetention, false).removed, 0);
  EXPECT_EQ(Left(), 300);
}

TEST_F(BusRedisTrim, GroupsTellHowFarTheyAre) {
  Group("g", 400, 10);
  const std::vector<GroupState> groups = bus_->MakeAdmin().Groups("a");
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].name, "g");
  EXPECT_EQ(groups[0].pending, 10);
  EXPECT_EQ(groups[0].consumers, 1);
  EXPECT_EQ(groups[0].lag.value_or(600), 600);
  EXPECT_EQ(groups[0].lowest_pending_id, "391-1");
  EXPECT_GE(groups[0].idle_seconds, 0);
}

TEST_F(BusRedisTrim, GroupsAreCreatedResetAndDeleted) {
  StreamAdmin admin = bus_->MakeAdmin();
  admin.CreateGroup("a", "g", "0");
  Group("g", 1000);
  admin.ResetGroup("a", "g", "900-1");
  EXPECT_EQ(bus_->Subscribe("a", "g", "c")->Poll(1000, kNoWait).size(), 100U);
  admin.DeleteGroup("a", "g");
  EXPECT_THAT(admin.Groups("a"), IsEmpty());
  EXPECT_EQ(ErrorOf([&] { admin.DeleteGroup("a", "g"); }).code(), "SH-0607");
  EXPECT_EQ(ErrorOf([&] { admin.ResetGroup("none", "g", "0"); }).status(), SUMMA_E_NOT_FOUND);
  EXPECT_THAT(admin.Streams().names, ::testing::ElementsAre("a"));
}

}  // namespace
}  // namespace summa::bus_redis
