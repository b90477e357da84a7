// Without asserts, whatever the build has.
#undef SUMMA_ASSERTS
#include <gtest/gtest.h>

#include <summa/assert.hpp>

namespace summa {
namespace {

TEST(AssertOff, NothingIsEvaluated) {
  int looked = 0;
  SUMMA_ASSERT(++looked == 7);
  EXPECT_EQ(looked, 0);
}

TEST(AssertOff, WhatIsOnlyNamedThereIsNotUnused) {
  const bool held = false;
  SUMMA_ASSERT(held);
}

}  // namespace
}  // namespace summa
