#include "host/application/last_words.hpp"

#include <gtest/gtest.h>

#include <simdjson.h>

#include <string>

namespace summa::host {
namespace {

// What is written to standard error: the text, and the end that Write() adds.
std::string Line(const LastWords& words) {
  return "{\"code\":\"" + std::string(words.text()) + "}";
}

TEST(LastWords, QuotesAndBackslashesStayReadable) {
  LastWords text(LogFormat::kText, "SH-0345", "it crashed");
  text.Field("in", "\"naughty say\" of C:\\x");
  EXPECT_STREQ(text.text(), "SH-0345 it crashed in=\"\\\"naughty say\\\" of C:\\\\x\"");
}

TEST(LastWords, AreJsonAlsoWhenTheyAreCut) {
  for (std::size_t length = 1380; length < 1500; ++length) {
    LastWords words(LogFormat::kJson, "SH-0345", "it crashed");
    words.Field("in", std::string(length, '"').c_str());
    words.Field("more", "of it");
    const std::string line = Line(words);
    simdjson::dom::parser parser;
    EXPECT_EQ(parser.parse(line).error(), simdjson::SUCCESS) << line;
  }
}

}  // namespace
}  // namespace summa::host
