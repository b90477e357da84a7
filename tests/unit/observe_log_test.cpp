#include <gtest/gtest.h>

#include <vector>

#include "host/observe/line_fold.hpp"
#include "host/observe/log.hpp"
#include "host/observe/log_line.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr UnixTime kThen(milliseconds(1795359600123));  // 2026-11-22T15:00:00.123Z

LogLine Line(LogLevel level, std::string_view code, std::string_view message,
             std::span<const LogField> fields = {}) {
  return {kThen, level, code, message, fields, 0};
}

TEST(TimeText, IsIsoWithMillisecondsAndZ) {
  EXPECT_EQ(TimeText(kThen), "2026-11-22T15:00:00.123Z");
  EXPECT_EQ(TimeText(UnixTime(milliseconds(5))), "1970-01-01T00:00:00.005Z");
  EXPECT_EQ(TimeText(UnixTime()), "");
}

TEST(LogText, ALineHasTimeLevelCodeMessageAndFields) {
  const std::vector<LogField> fields = {{"key", "value"}, {"count", "3"}};
  EXPECT_EQ(TextLine(Line(LogLevel::kInfo, "SH-0310", "message", fields), false),
            "2026-11-22T15:00:00.123Z info  SH-0310 message key=value count=3");
  EXPECT_EQ(TextLine(Line(LogLevel::kError, "", "no code"), false),
            "2026-11-22T15:00:00.123Z error no code");
}

TEST(LogText, ColoursAppearOnlyWhenAsked) {
  EXPECT_EQ(TextLine(Line(LogLevel::kWarn, "", "m"), false).find('\x1b'), std::string::npos);
  EXPECT_NE(TextLine(Line(LogLevel::kWarn, "", "m"), true).find("\x1b[33mwarn\x1b[0m"),
            std::string::npos);
}

TEST(LogText, AForeignTextCannotForgeALineOrSteerTheTerminal) {
  const std::vector<LogField> fields = {{"value", "a\nb \"c\"\x1b[2J"}};
  const std::string line =
      TextLine(Line(LogLevel::kInfo, "", "first\n2026 forged\x1b[31m", fields), false);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find(R"(value="a\nb \"c\")"), std::string::npos);
}

TEST(LogText, EmptyValuesAreVisible) {
  const std::vector<LogField> fields = {{"hint", ""}};
  EXPECT_NE(TextLine(Line(LogLevel::kInfo, "", "m", fields), false).find("hint=\"\""),
            std::string::npos);
}

TEST(LogJson, ALineIsOneObject) {
  const std::vector<LogField> fields = {{"worker", "a\"b"}};
  EXPECT_EQ(
      JsonLine(Line(LogLevel::kWarn, "SH-0321", "gone", fields)),
      R"({"ts":"2026-11-22T15:00:00.123Z","level":"warn","code":"SH-0321","message":"gone","worker":"a\"b"})");
}

TEST(LogLine, LongTextsAreCutAtACharacter) {
  std::string text(1999, 'x');
  text += "\xC3\xA4 and more";
  const std::string line = JsonLine(Line(LogLevel::kInfo, "", text));
  EXPECT_NE(line.find(std::string(1999, 'x') + "\""), std::string::npos);
  EXPECT_EQ(line.find('\xC3'), std::string::npos);
}

BootTime At(int second) { return BootTime(seconds(second)); }

TEST(LineFold, RepeatsWithinTenSecondsAreCountedAndShownLater) {
  LineFold fold;
  EXPECT_EQ(fold.Admit("a", At(100)), 0);
  EXPECT_EQ(fold.Admit("a", At(101)), std::nullopt);
  EXPECT_EQ(fold.Admit("a", At(109)), std::nullopt);
  EXPECT_EQ(fold.Admit("b", At(109)), 0);
  EXPECT_EQ(fold.Admit("a", At(110)), 2);
  EXPECT_EQ(fold.Admit("a", At(111)), std::nullopt);
}

TEST(LineFold, WhatWasHeldBackIsToldEvenWhenNoEqualLineComes) {
  LineFold fold;
  EXPECT_TRUE(fold.TakeEnded(At(0)).empty());
  fold.Admit("a", At(0));
  fold.Admit("a", At(1));
  fold.Admit("a", At(2));
  EXPECT_TRUE(fold.TakeEnded(At(5)).empty()) << "its window is still open";
  const auto ended = fold.TakeEnded(At(11));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].key, "a");
  EXPECT_EQ(ended[0].held_back, 2);
  EXPECT_TRUE(fold.TakeEnded(At(30)).empty()) << "it is told once";
  fold.Admit("b", At(40));
  fold.Admit("b", At(41));
  EXPECT_EQ(fold.TakeEnded(At(41), true).size(), 1u) << "at the end of the process";
}

TEST(LineFold, TheLastLineThatWasHeldBackKeepsItsFields) {
  LineFold fold;
  const auto admit = [&](int at, const std::string& id) {
    const LogField fields[] = {{"worker", "w"}, {"event", id}};
    return fold.Admit("a", At(at), fields);
  };
  EXPECT_EQ(admit(0, "1"), 0);
  admit(1, "2");
  admit(2, "3");
  const auto ended = fold.TakeEnded(At(11));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].fields, (LineFold::Fields{{"worker", "w"}, {"event", "3"}}));
  admit(12, std::string(5000, 'x'));
  ASSERT_EQ(fold.TakeEnded(At(40)).size(), 1u);
}

TEST(LineFold, MemoryIsBounded) {
  LineFold fold;
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(fold.Admit(std::to_string(i), At(1)), 0);
  EXPECT_EQ(fold.Admit("4999", At(1)), std::nullopt) << "the last ones are remembered";
  // Had all been remembered, none of these would be written again.
  int forgotten = 0;
  for (int i = 0; i < 3900; ++i) forgotten += fold.Admit(std::to_string(i), At(1)) ? 1 : 0;
  EXPECT_EQ(forgotten, 3900);
}

TEST(Log, GoesToStderrInTheConfiguredFormAndLevel) {
  testing::internal::CaptureStderr();
  ConfigureLog(LogLevel::kWarn, LogFormat::kJson);
  Log(LogLevel::kInfo, "SH-0900", "unheard");
  LogError(LogLevel::kError, Error{"SH-0901", "broken", "mend it", "here", 0}, {{"worker", "w"}});
  ConfigureLog(LogLevel::kInfo, LogFormat::kText);
  Log(LogLevel::kInfo, "", "plain words", {{"n", "1"}});
  FlushLog();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("unheard"), std::string::npos);
  EXPECT_NE(
      text.find(
          R"("level":"error","code":"SH-0901","message":"broken","worker":"w","where":"here","hint":"mend it"})"
          "\n"),
      std::string::npos);
  EXPECT_NE(text.find(" info  plain words n=1\n"), std::string::npos);
}

}  // namespace
}  // namespace summa::host
