// Which of two servers that take writes is the primary.
#include <gtest/gtest.h>

#include "host/database/known_servers.hpp"

namespace summa::host {
namespace {

BackendIdentity On(const char* life, const char* system, std::uint32_t timeline) {
  BackendIdentity identity;
  identity.server = {life, ""};
  if (timeline > 0) identity.history = ServerHistory{system, timeline};
  return identity;
}

class KnownServersTest : public testing::Test {
 protected:
  std::optional<std::uint32_t> Good(const BackendIdentity& server) {
    return known_.GoodPrimary("url", server.server.started_at, server);
  }
  std::string Primary() const { return known_.Primary("url")->started_at; }

  KnownServers known_;
};

TEST_F(KnownServersTest, AnEarlierTimelineOfTheSameSystemIsRefusedAndChangesNothing) {
  EXPECT_EQ(Good(On("old", "a", 1)), std::nullopt);
  EXPECT_EQ(Good(On("promoted", "a", 2)), std::nullopt);
  EXPECT_EQ(Good(On("old", "a", 1)), 2U);
  EXPECT_EQ(Primary(), "promoted");
  EXPECT_EQ(known_.Rank("url", "promoted", false), 0);
  EXPECT_EQ(known_.Rank("url", "old", false), 1);
}

TEST_F(KnownServersTest, TheSameTimelineIsARestart) {
  Good(On("before", "a", 3));
  EXPECT_EQ(Good(On("after", "a", 3)), std::nullopt);
  EXPECT_EQ(Primary(), "after");
}

TEST_F(KnownServersTest, AnotherSystemBeginsAnew) {
  Good(On("promoted", "a", 2));
  EXPECT_EQ(Good(On("moved", "b", 1)), std::nullopt);
  EXPECT_EQ(Primary(), "moved");
}

// What is known of the others stays known.
TEST_F(KnownServersTest, AServerThatTellsNoTimelineIsTaken) {
  Good(On("promoted", "a", 2));
  EXPECT_EQ(Good(On("silent", "", 0)), std::nullopt);
  EXPECT_EQ(Primary(), "silent");
  EXPECT_EQ(Good(On("old", "a", 1)), 2U);
}

TEST(ReadHistory, TakesTheTimelineOfALogFileAndNothingElse) {
  EXPECT_EQ(ReadHistory("7", "0000000A0000000100000003")->timeline, 10U);
  EXPECT_EQ(ReadHistory("7", "FFFFFFFF0000000100000003")->timeline, 4294967295U);
  for (const char* file : {"", "0000000", "none of them", "0x00000A0000"}) {
    EXPECT_FALSE(ReadHistory("7", file)) << file;
  }
  EXPECT_FALSE(ReadHistory("", "0000000A0000000100000003"));
}

}  // namespace
}  // namespace summa::host
