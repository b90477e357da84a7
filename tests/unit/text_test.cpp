#include <gtest/gtest.h>

#include <summa/text.hpp>

namespace summa {
namespace {

TEST(Beginning, HasWholeCharactersOnly) {
  EXPECT_EQ(Beginning("", 0), "");
  EXPECT_EQ(Beginning("abc", 3), "abc");
  EXPECT_EQ(Beginning("abc", 2), "ab");
  EXPECT_EQ(Beginning("a\u00e9", 2), "a");
  EXPECT_EQ(Beginning("a\u00e9", 3), "a\u00e9");
  EXPECT_EQ(Beginning("a\u20ac", 3), "a");
  EXPECT_EQ(Beginning("\U0001F600", 3), "");
}

}  // namespace
}  // namespace summa
