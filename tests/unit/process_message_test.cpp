// What a host and the process of a plugin say to each other: whole, in pieces, and broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/process/http_form.hpp"
#include "host/process/message.hpp"

namespace summa::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Message& Sample() {
  static const auto& message = *new Message{
      MessageKind::kRequest, 7, {"GET", std::string("with\0zero", 9), "", std::string(70000, 'x')}};
  return message;
}

TEST(Messages, ArriveAsTheyWereSent) {
  MessageReader reader;
  reader.Add(Encode(Sample()));
  reader.Add(Encode({MessageKind::kStop, 0, {}}));
  EXPECT_EQ(reader.Next(), Sample());
  EXPECT_EQ(reader.Next(), (Message{MessageKind::kStop, 0, {}}));
  EXPECT_EQ(reader.Next(), std::nullopt);
}

TEST(Messages, ArePutTogetherFromPieces) {
  const std::string bytes = Encode({MessageKind::kHello, 1, {"a", "bc"}});
  MessageReader reader;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(reader.Next(), std::nullopt) << i;
    reader.Add(bytes.substr(i, 1));
  }
  EXPECT_EQ(reader.Next(), (Message{MessageKind::kHello, 1, {"a", "bc"}}));
}

TEST(Messages, ThatAreNoneAreRefused) {
  const std::string good = Encode({MessageKind::kHello, 1, {"a", "bc"}});
  const auto refused = [](std::string bytes) {
    MessageReader reader;
    reader.Add(bytes);
    try {
      reader.Next();
      return false;
    } catch (const MessageProblem&) {
      return true;
    }
  };
  EXPECT_FALSE(refused(good));
  std::string other_kind = good;
  other_kind[0] = 99;
  EXPECT_TRUE(refused(other_kind));
  std::string too_large = good;
  for (std::size_t i = 12; i < 16; ++i) too_large[i] = '\xFF';
  EXPECT_TRUE(refused(too_large)) << "nothing of that size is waited for";
  std::string broken = good;
  broken[20] = 100;  // the size of its first part
  EXPECT_TRUE(refused(broken));
  EXPECT_TRUE(refused("GET / HTTP/1.1\r\nHost: somebody\r\n\r\n"));
}

TEST(Messages, ThatAreTooLargeAreNotSent) {
  Message message{MessageKind::kAnswer, 1, {std::string(kMaxMessageBytes, 'x')}};
  EXPECT_THROW(Encode(message), MessageProblem);
  message.parts.assign(kMaxMessageParts + 1, "");
  EXPECT_THROW(Encode(message), MessageProblem);
}

TEST(Messages, PartsAreWholeOrNone) {
  const std::string bytes = EncodeParts({"", "one", "two"});
  EXPECT_THAT(DecodeParts(bytes).value(), ElementsAre("", "one", "two"));
  EXPECT_THAT(DecodeParts(EncodeParts({})).value(), IsEmpty());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeParts(bytes.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(DecodeParts(bytes + "x"), std::nullopt);
}

TEST(HttpForm, ARequestKeepsAllButWhatIsTheHostsOwn) {
  const HttpRequest request{"POST",
                            "/v1/a%20b",
                            "x=1&y=2",
                            {{"accept-encoding", "gzip"},
                             {"authorization", "Bearer secret"},
                             {"content-type", "text/plain"},
                             {"if-none-match", "\"1\""}},
                            "body"};
  const std::optional<HttpRequest> read = RequestOf(ToParts(request));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->method, "POST");
  EXPECT_EQ(read->path, "/v1/a%20b");
  EXPECT_EQ(read->query, "x=1&y=2");
  EXPECT_EQ(read->body, "body");
  EXPECT_EQ(read->Header("content-type"), "text/plain");
  EXPECT_EQ(read->Header("if-none-match"), "\"1\"");
  EXPECT_EQ(read->headers.size(), 2u);
}

TEST(HttpForm, AnAnswerKeepsItsHeaders) {
  HttpResponse response{404, "{}", "text/plain", "\"etag\"", {{"Retry-After", "1"}, {"Vary", "x"}}};
  const std::optional<HttpResponse> read = ResponseOf(ToParts(response));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->status, 404);
  EXPECT_EQ(read->body, "{}");
  EXPECT_EQ(read->content_type, "text/plain");
  EXPECT_EQ(read->etag, "\"etag\"");
  ASSERT_EQ(read->headers.size(), 1u);
  EXPECT_EQ(read->headers[0].first, "Retry-After");
}

TEST(HttpForm, WhatIsNoneIsRefused) {
  EXPECT_EQ(RequestOf({"GET", "/", ""}).has_value(), false);
  EXPECT_EQ(RequestOf({"GET", "/", "", "", "a header without a value"}).has_value(), false);
  EXPECT_EQ(ResponseOf({"200", "text/plain", ""}).has_value(), false);
  for (const char* status : {"", "abc", "99", "600", "200 OK", "-200"}) {
    EXPECT_EQ(ResponseOf({status, "text/plain", "", ""}).has_value(), false) << status;
  }
}

}  // namespace
}  // namespace summa::host
