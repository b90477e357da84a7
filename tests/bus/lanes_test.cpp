// The lanes alone, with a clock of the test's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <summa/lanes.hpp>

namespace summa {
namespace {

using std::chrono::microseconds;

class Lanes : public ::testing::Test {
 protected:
  void Add(const std::string& lane, int item, std::size_t group = 0, bool alone = false) {
    items_[lanes_.Add(lane, group, 10, alone)] = item;
  }
  // The item that is taken, or 0.
  int Take() {
    const auto ticket = lanes_.Take(now_);
    if (!ticket) return 0;
    taken_[items_[*ticket]] = *ticket;
    return items_[*ticket];
  }
  void Done(int item) { lanes_.Done(taken_[item]); }
  void Retry(int item, microseconds due) { lanes_.Retry(taken_[item], due); }

  LaneSet lanes_{5, 1000};
  std::map<LaneSet::Ticket, int> items_;
  std::map<int, LaneSet::Ticket> taken_;
  microseconds now_{0};
};

TEST_F(Lanes, ItemsOfOneLaneAreTakenOneAtATimeAndInOrder) {
  Add("a", 1);
  Add("a", 2);
  Add("b", 3);
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 3);
  EXPECT_EQ(Take(), 0);
  Done(1);
  EXPECT_EQ(Take(), 2);
  EXPECT_EQ(lanes_.running(), 2U);
}

TEST_F(Lanes, AFailedItemHoldsItsLaneUntilItIsDueAndNoOther) {
  Add("a", 1);
  Add("a", 2);
  Add("b", 3);
  EXPECT_EQ(Take(), 1);
  Retry(1, microseconds(50));
  EXPECT_EQ(lanes_.NextDue(), microseconds(50));
  EXPECT_EQ(Take(), 3);
  now_ = microseconds(49);
  EXPECT_EQ(Take(), 0);
  now_ = microseconds(50);
  EXPECT_EQ(Take(), 1);
  Done(1);
  EXPECT_EQ(Take(), 2);
}

TEST_F(Lanes, FailuresAreCountedPerItem) {
  Add("a", 1);
  Add("a", 2);
  Take();
  EXPECT_EQ(lanes_.CountFailure(taken_[1]), 1);
  EXPECT_EQ(lanes_.CountFailure(taken_[1]), 2);
  Done(1);
  Take();
  EXPECT_EQ(lanes_.CountFailure(taken_[2]), 1);
}

TEST_F(Lanes, ALaneThatEndedLeavesNothingToTheNextOne) {
  Add("a", 1, 0);
  EXPECT_EQ(Take(), 1);
  lanes_.CountFailure(taken_[1]);
  Done(1);
  lanes_.PauseGroup(0, microseconds(100));
  Add("b", 2, 1);
  Add("b", 3, 1);
  EXPECT_EQ(Take(), 2) << "it is of another group";
  EXPECT_EQ(lanes_.CountFailure(taken_[2]), 1);
  Done(2);
  EXPECT_EQ(Take(), 3);
  Done(3);
  Add("a", 4, 0);
  EXPECT_EQ(Take(), 0) << "its group waits";
  now_ = microseconds(100);
  EXPECT_EQ(Take(), 4);
  Done(4);
  EXPECT_EQ(lanes_.items(), 0U);
}

TEST_F(Lanes, APausedGroupWaitsWholeAndOthersGoOn) {
  Add("a", 1, 0);
  Add("b", 2, 0);
  Add("c", 3, 1);
  EXPECT_EQ(Take(), 1);
  lanes_.PauseGroup(0, microseconds(100));
  Retry(1, microseconds(100));
  EXPECT_EQ(Take(), 3);
  EXPECT_EQ(Take(), 0);
  EXPECT_EQ(lanes_.NextDue(), microseconds(100));
  now_ = microseconds(100);
  EXPECT_NE(Take(), 0);
  EXPECT_NE(Take(), 0);
}

// Only one thread gets its turn before the item that is taken first pauses the group again.
TEST_F(Lanes, AnItemThatPausesItsGroupAgainAndAgainKeepsNoOtherFromItsTurn) {
  Add("a", 1, 0);
  Add("b", 2, 0);
  Add("c", 3, 0);
  for (const int expected : {1, 2, 3, 1}) {
    ASSERT_EQ(Take(), expected);
    now_ += microseconds(100);
    lanes_.PauseGroup(0, now_);
    Retry(expected, now_);
    now_ -= microseconds(1);
    ASSERT_EQ(Take(), 0);
    now_ += microseconds(1);
  }
}

TEST_F(Lanes, AnItemThatRunsAloneWaitsForTheOthersAndTheyForIt) {
  Add("a", 1);
  Add("b", 2, 0, true);
  Add("c", 3);
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 0);
  Done(1);
  EXPECT_EQ(Take(), 2);
  EXPECT_EQ(Take(), 0);
  Done(2);
  EXPECT_EQ(Take(), 3);
}

TEST_F(Lanes, RoomIsBoundedByItemsAndBytes) {
  for (int i = 1; i <= 4; ++i) Add("a", i);
  EXPECT_TRUE(lanes_.HasRoom());
  Add("a", 5);
  EXPECT_FALSE(lanes_.HasRoom());
  Take();
  Done(1);
  EXPECT_TRUE(lanes_.HasRoom());
  EXPECT_EQ(lanes_.bytes(), 40U);
  lanes_.Add("big", 0, 2000, false);
  EXPECT_FALSE(lanes_.HasRoom());
}

#ifdef SUMMA_ASSERTS
using LanesDeathTest = Lanes;

TEST_F(LanesDeathTest, AnItemIsSettledOnce) {
  Add("a", 1);
  Add("a", 2);
  Take();
  Done(1);
  EXPECT_DEATH(Done(1), "assertion failed");
}

TEST_F(LanesDeathTest, OnlyWhatWasTakenIsSettled) {
  Add("a", 1);
  const LaneSet::Ticket waiting = lanes_.Add("a", 0, 10, false);
  Take();
  EXPECT_DEATH(lanes_.Done(waiting), "assertion failed");
  EXPECT_DEATH(lanes_.Retry(waiting, now_), "assertion failed");
}
#endif

}  // namespace
}  // namespace summa
