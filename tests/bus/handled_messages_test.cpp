// What a consumer tells a bus that it has handled: one by one, or by place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sdk/src/consumer/handled_messages.hpp"

namespace summa::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Ids(const std::vector<HandledMessages::Place>& places) {
  std::vector<std::string> ids;
  ids.reserve(places.size());
  for (const HandledMessages::Place& place : places) ids.push_back(place.delivery_id);
  return ids;
}

TEST(HandledMessages, WithClaimsEachIsToldAtOnce) {
  HandledMessages handled(true);
  handled.Given(0, "1");
  handled.Given(0, "2");
  handled.Add(0, 0, "2");
  EXPECT_EQ(handled.messages(), 1U);
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("2"));
  EXPECT_TRUE(handled.empty());
  EXPECT_EQ(handled.open(), 0U);
}

TEST(HandledMessages, WithoutClaimsAPlaceIsToldBehindWhichNothingIsMissing) {
  HandledMessages handled(false);
  const std::uint64_t first = handled.Given(0, "1"), second = handled.Given(0, "2"),
                      third = handled.Given(0, "3");
  handled.Add(0, second, "2");
  EXPECT_TRUE(handled.empty()) << "the first is not handled yet";
  EXPECT_EQ(handled.open(), 3U);
  handled.Add(0, first, "1");
  EXPECT_EQ(handled.messages(), 2U);
  EXPECT_EQ(handled.open(), 1U);
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("2"));
  handled.Add(0, third, "3");
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("3"));
}

TEST(HandledMessages, PartitionsDoNotWaitForEachOther) {
  HandledMessages handled(false);
  handled.Given(0, "a");
  const std::uint64_t other = handled.Given(1, "b");
  handled.Add(1, other, "b");
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("b"));
}

TEST(HandledMessages, WhatTheBusDidNotTakeIsToldAgainAndNeverGoesBack) {
  HandledMessages handled(false);
  const std::uint64_t first = handled.Given(0, "1"), second = handled.Given(0, "2");
  handled.Add(0, first, "1");
  std::vector<HandledMessages::Place> refused = handled.Take();
  EXPECT_THAT(Ids(handled.Take()), IsEmpty());
  handled.Add(0, second, "2");
  handled.PutBack(std::move(refused));
  EXPECT_EQ(handled.messages(), 2U);
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("2"));
}

TEST(HandledMessages, OfALostPartitionNothingIsTold) {
  HandledMessages handled(false);
  const std::uint64_t lost = handled.Given(0, "1"), settled = handled.Given(1, "a");
  handled.Given(0, "2");
  const std::uint64_t blocked = handled.Given(0, "3");
  handled.Add(0, lost, "1");
  handled.Add(0, blocked, "3");
  handled.Add(1, settled, "a");
  EXPECT_EQ(handled.Forget(0), 2U);
  EXPECT_EQ(handled.messages(), 1U);
  EXPECT_EQ(handled.open(), 0U);
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("a"));
  // A handler that ends late, and the partition that comes back.
  const std::uint64_t again = handled.Given(0, "1");
  handled.Add(0, blocked, "3");
  EXPECT_TRUE(handled.empty());
  handled.Add(0, again, "1");
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("1"));
}

TEST(HandledMessages, APlaceOfALostPartitionIsNotPutBack) {
  HandledMessages handled(false);
  handled.Add(0, handled.Given(0, "1"), "1");
  handled.Add(1, handled.Given(1, "a"), "a");
  std::vector<HandledMessages::Place> refused = handled.Take();
  EXPECT_EQ(handled.Forget(0), 0U) << "they are on the way";
  EXPECT_EQ(handled.PutBack(std::move(refused)), 1U);
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("a"));
}

}  // namespace
}  // namespace summa::detail
