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
  handled.Given(0);
  handled.Given(0);
  handled.Add(0, 0, "2");
  EXPECT_EQ(handled.messages(), 1U);
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("2"));
  EXPECT_TRUE(handled.empty());
  EXPECT_EQ(handled.open(), 0U);
}

TEST(HandledMessages, WithoutClaimsAPlaceIsToldBehindWhichNothingIsMissing) {
  HandledMessages handled(false);
  const std::uint64_t first = handled.Given(0), second = handled.Given(0), third = handled.Given(0);
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
  handled.Given(0);
  const std::uint64_t other = handled.Given(1);
  handled.Add(1, other, "b");
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("b"));
}

TEST(HandledMessages, WhatTheBusDidNotTakeIsToldAgainAndNeverGoesBack) {
  HandledMessages handled(false);
  const std::uint64_t first = handled.Given(0), second = handled.Given(0);
  handled.Add(0, first, "1");
  std::vector<HandledMessages::Place> refused = handled.Take();
  EXPECT_THAT(Ids(handled.Take()), IsEmpty());
  handled.Add(0, second, "2");
  handled.PutBack(std::move(refused));
  EXPECT_EQ(handled.messages(), 2U);
  EXPECT_THAT(Ids(handled.Take()), ElementsAre("2"));
}

}  // namespace
}  // namespace summa::detail
