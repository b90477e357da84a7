#include <gtest/gtest.h>

#include "host/config/schema.hpp"
#include "host/config/text.hpp"
#include "host/config/units.hpp"

namespace summa::host {
namespace {

TEST(Duration, AcceptsSummasGrammarAndMilliseconds) {
  const std::vector<std::pair<const char*, std::int64_t>> cases = {
      {"5s", 5'000'000},       {"0.5h", 1'800'000'000},       {"1.5s", 1'500'000},
      {"5 s", 5'000'000},      {"5\ts", 5'000'000},           {"007s", 7'000'000},
      {"0.0001s", 100},        {"1d", 86'400'000'000},        {"20ms", 20'000},
      {"0.5ms", 500},          {"500 ms", 500'000},           {"1m", 60'000'000},
      {"0.1d", 8'640'000'000}, {"3650d", 315'360'000'000'000}};
  for (const auto& [text, microseconds] : cases)
    EXPECT_EQ(ParseDuration(text), microseconds) << text;
}

TEST(Duration, RejectsWhatSummaRejects) {
  for (const char* text :
       {"0s", "0.0s", "-5s",   "+5s",  "5S", " 5s", "5s ", "1w",        ".5s",        "5.s", "1e3s",
        "5",  "",     "1h30m", "1,5s", "s",  "5 ",  "5us", "\xD9\xA5s", "0.0000001s", "5\n"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Duration, RejectsMoreThanTenYears) {
  for (const char* text :
       {"99999999999999999999d", "3651d", "3650.1d", "9223372036854775807ms", "87601h"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Duration, IsPrintedInTheLargestExactUnitUpToHours) {
  EXPECT_EQ(FormatDuration(172'800'000'000), "48h");
  EXPECT_EQ(FormatDuration(20'000), "20ms");
  EXPECT_EQ(FormatDuration(90'000'000), "90s");
  EXPECT_EQ(FormatDuration(1'500'000), "1500ms");
  EXPECT_EQ(FormatDuration(100), "0.1ms");
  EXPECT_EQ(FormatDuration(1), "0.001ms");
  EXPECT_EQ(FormatDuration(0), "0s");
}

TEST(Duration, PrintedIsReadBackTheSame) {
  for (const std::int64_t value : {1LL, 999LL, 1'001LL, 60'000'000LL, 3'599'999'999LL}) {
    EXPECT_EQ(ParseDuration(FormatDuration(value)), value);
  }
}

std::optional<std::int64_t> ParseSize(const char* text) {
  std::int64_t bytes = 0;
  if (ReadSize(text, bytes) != UnitForm::kGood) return std::nullopt;
  return bytes;
}

TEST(Size, AcceptsDecimalAndBinaryUnits) {
  EXPECT_EQ(ParseSize("512B"), 512);
  EXPECT_EQ(ParseSize("4KiB"), 4096);
  EXPECT_EQ(ParseSize("10MB"), 10'000'000);
  EXPECT_EQ(ParseSize("64 MiB"), 64 << 20);
  EXPECT_EQ(ParseSize("1TiB"), 1LL << 40);
  EXPECT_EQ(ParseSize("0B"), 0);
}

TEST(Size, RejectsBareNumbersFractionsAndOverflow) {
  for (const char* text : {"512", "", "1.5MiB", "-1B", "4kib", "4Ki", "9223372036854775808B",
                           "8388608TiB", " 1B", "1B "}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

TEST(Suggestion, FindsASlipOfTheFingers) {
  const std::vector<std::string> known = {"batch_size", "max_retries", "retention", "url", "at"};
  EXPECT_EQ(Suggest("batch_sise", known), "batch_size");
  EXPECT_EQ(Suggest("bacth_size", known), "batch_size");
  EXPECT_EQ(Suggest("batchSize", known), "batch_size");
  EXPECT_EQ(Suggest("batch-size", known), "batch_size");
  EXPECT_EQ(Suggest("MAX_RETRIES", known), "max_retries");
  EXPECT_EQ(Suggest("ulr", known), "url");
}

TEST(Suggestion, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(Suggest("colour", {"level", "format"}), std::nullopt);
  EXPECT_EQ(Suggest("x", {"at"}), std::nullopt);
  EXPECT_EQ(Suggest("", {"at"}), std::nullopt);
  EXPECT_EQ(Suggest(std::string(100'000, 'a'), {"at"}), std::nullopt);
}

TEST(Redaction, HidesPasswordsInUrls) {
  EXPECT_EQ(RedactUrl("postgresql://app:secret@db/x"), "postgresql://app:***@db/x");
  EXPECT_EQ(RedactUrl("redis://:secret@h:6379/0"), "redis://:***@h:6379/0");
  EXPECT_EQ(RedactUrl("postgresql://app:a@b/c?d@db/x"), "postgresql://app:***@db/x");
  EXPECT_EQ(RedactUrl("postgresql:///x?password=secret&host=/tmp"),
            "postgresql:///x?password=***&host=/tmp");
  EXPECT_EQ(RedactUrl("postgresql://db/x?sslpassword=secret"), "postgresql://db/x?sslpassword=***");
  EXPECT_EQ(RedactUrl("host=db password=secret user=a"), "host=db password=*** user=a");
  EXPECT_EQ(RedactUrl("postgresql:///summa"), "postgresql:///summa");
  EXPECT_EQ(RedactUrl("redis//user:secret@h"), "redis//user:***@h");
  EXPECT_EQ(RedactUrl(""), "");
}

}  // namespace
}  // namespace summa::host
