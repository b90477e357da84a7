#include "host/application/signal_safe_line.hpp"

#include <gtest/gtest.h>

#include <simdjson.h>

#include <string>

namespace summa::host {
namespace {

// What is written to standard error: the text, and the end that Write() adds.
std::string Line(const SignalSafeLine& safe_line) {
  return "{\"code\":\"" + std::string(safe_line.text()) + "}";
}

TEST(SignalSafeLine, QuotesAndBackslashesStayReadable) {
  SignalSafeLine text(LogFormat::kText, "SH-0345", "it crashed");
  text.Field("in", "\"naughty say\" of C:\\x");
  EXPECT_STREQ(text.text(), "SH-0345 it crashed in=\"\\\"naughty say\\\" of C:\\\\x\"");
}

TEST(SignalSafeLine, AreJsonAlsoWhenTheyAreCut) {
  for (std::size_t length = 1380; length < 1500; ++length) {
    SignalSafeLine safe_line(LogFormat::kJson, "SH-0345", "it crashed");
    safe_line.Field("in", std::string(length, '"').c_str());
    safe_line.Field("more", "of it");
    const std::string line = Line(safe_line);
    simdjson::dom::parser parser;
    EXPECT_EQ(parser.parse(line).error(), simdjson::SUCCESS) << line;
  }
}

}  // namespace
}  // namespace summa::host
