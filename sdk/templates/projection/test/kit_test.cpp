// The read model without a server: which rows a batch of events becomes.
#include <gmock/gmock.h>

#include <summa/testkit/fake_batch.hpp>

#include "credits.hpp"

namespace regular_credits {
namespace {

using summa::testkit::FakeBatch;
using testing::HasSubstr;

TEST(Credits, WritesOneStatementForAWholeBatch) {
  FakeBatch batch;
  batch.Add({.type = "CREDIT_POSTED", .holder = "holder_1", .category = "wages", .amount = 70});
  batch.Add({.type = "CREDIT_POSTED", .holder = "holder_1", .category = "wages", .amount = 30});
  batch.Add({.type = "CREDIT_POSTED", .holder = "holder_2", .category = "gift", .amount = 5});
  const Credits credits;
  batch.Apply(credits);
  ASSERT_EQ(batch.Statements().size(), 1u);
  EXPECT_THAT(batch.Statements().front().text, HasSubstr("INSERT INTO \"regular_credits\""));
}

}  // namespace
}  // namespace regular_credits
