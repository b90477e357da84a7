// With asserts, whatever the build has.
#undef SUMMA_ASSERTS
#define SUMMA_ASSERTS
#include <gtest/gtest.h>

#include <summa/assert.hpp>

namespace summa {
namespace {

TEST(AssertDeathTest, WhatDoesNotHoldEndsTheProcessAndIsNamed) {
  const int sum = 1 + 1;
  EXPECT_DEATH(SUMMA_ASSERT(sum == 3), "assert_test\\.cpp:[0-9]+: assertion failed: sum == 3");
}

TEST(Assert, WhatHoldsIsLookedAtOnceAndChangesNothing) {
  int looked = 0;
  SUMMA_ASSERT(++looked == 1);
  EXPECT_EQ(looked, 1);
}

TEST(Assert, IsOneStatement) {
  bool otherwise = false;
  if (otherwise)
    SUMMA_ASSERT(false);
  else
    otherwise = true;
  EXPECT_TRUE(otherwise);
}

}  // namespace
}  // namespace summa
