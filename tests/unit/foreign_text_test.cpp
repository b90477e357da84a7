// Whatever a plugin writes, what comes out can be logged, stored and put into JSON.
#include <gtest/gtest.h>

#include <array>

#include "host/abi/foreign_text.hpp"
#include "host/config/text.hpp"

namespace summa::host {
namespace {

TEST(ForeignText, WhatIsNoUtf8OrControlsATerminalIsReplaced) {
  EXPECT_EQ(CleanText("caf\xE9", 100), "caf?");
  EXPECT_EQ(CleanText("a\xC3", 100), "a?");
  EXPECT_EQ(CleanText("\xED\xA0\x80", 100), "???");  // half a surrogate pair
  EXPECT_EQ(CleanText(std::string_view("a\0b", 3), 100), "a?b");
  EXPECT_EQ(CleanText("\x1b[2Jx\x7f", 100), "?[2Jx?");
  EXPECT_EQ(CleanText("\xC2\x9B"
                      "2J",
                      100),
            "??2J");
  EXPECT_EQ(CleanText("caf\xC3\xA9 \xE2\x82\xAC\n\tx", 100), "caf\xC3\xA9 \xE2\x82\xAC\n\tx");
  EXPECT_EQ(CleanLine("one\ntwo\r\tthree", 100), "one two  three");
}

TEST(ForeignText, ItIsCutBetweenCharacters) {
  EXPECT_EQ(CleanText("ab\xC3\xA9", 3), "ab");
  EXPECT_EQ(CleanText("ab\xC3\xA9", 4), "ab\xC3\xA9");
  EXPECT_EQ(CleanText(std::string(5'000'000, 'x'), 2000).size(), 2000U);
}

TEST(ForeignText, EveryByteAloneComesOutAsUtf8) {
  for (int byte = 0; byte < 256; ++byte) {
    const char text[2] = {static_cast<char>(byte), 'x'};
    EXPECT_EQ(FindInvalidUtf8(CleanText({text, 2}, 10)), std::nullopt) << byte;
  }
}

TEST(ForeignText, CodesAndNamesHaveTheirForm) {
  for (const char* good : {"SH-0501", "T-0001", "XY12-7"}) EXPECT_TRUE(IsCode(good)) << good;
  for (const char* bad : {"", "-", "A-", "-1", "a-1", "A 1", "A-1\n", "A--1", "A"}) {
    EXPECT_FALSE(IsCode(bad)) << bad;
  }
  EXPECT_EQ(CleanName("a b\n=\"c"), "a_b___c");
  EXPECT_EQ(CleanName(""), "_");
}

TEST(ForeignText, OnlyOneObjectIsAnObject) {
  EXPECT_EQ(ProblemOfObject(R"({"a":[1,{"b":null}]})"), std::nullopt);
  for (const char* bad : {"", " ", "{", "{}{}", "[{}]", "7", "\"x\"", "done", "{\"a\":\"\xE9\"}",
                          "{\"a\":1,}", "{\"a\":NaN}"}) {
    EXPECT_NE(ProblemOfObject(bad), std::nullopt) << bad;
  }
  constexpr std::array<std::string_view, 1> kTaken = {"ok"};
  EXPECT_NE(ProblemOfObject(R"({"ok":true})", kTaken), std::nullopt);
  EXPECT_EQ(ProblemOfObject(R"({"a":{"ok":true}})", kTaken), std::nullopt);
}

TEST(JsonLine, TakesJsonInOneLineAndNothingElse) {
  for (const char* text : {"{}", "[]", "null", "-0.5e+3",
                           R"({"a":[1,2,{"b":"\u00e9 é"}], "c":true})", R"("\"\\\/\b\f\n\r\t")"}) {
    EXPECT_TRUE(IsJsonLine(text)) << text;
  }
  for (const std::string text :
       {"", "{", "{}x", "[1,]", "{\"a\"}", "{'a':1}", "01", "+1", "1.", "nul", "\"a", "\"\n\"",
        "{\n}", "\"\\x\"", "\"\\u12g4\"", "\"\xFF\"", "\"\xED\xA0\x80\"", "\"\xC0\x80\"", "\"\\"}) {
    EXPECT_FALSE(IsJsonLine(text)) << text;
  }
  EXPECT_FALSE(IsJsonLine(std::string(100'000, '['))) << "depth is bounded";
}

TEST(AsUtf8, ReplacesOnlyBytesThatAreNoUtf8) {
  EXPECT_EQ(AsUtf8("grün 💶"), "grün 💶");
  EXPECT_EQ(AsUtf8("a\xFF\x80z"), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(AsUtf8("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace summa::host
