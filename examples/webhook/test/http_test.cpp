// Requests to a receiver that is not to be trusted.
#include <gmock/gmock.h>

#include <cstdlib>
#include <set>
#include <summa/error.hpp>

#include "http_client.hpp"
#include "receiver.hpp"

namespace webhook {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;

HttpLimits Local() {
  HttpLimits limits;
  limits.allow_http = true;
  limits.addresses = AddressRules({*ParseNetwork("127.0.0.0/8"), *ParseNetwork("::1")});
  return limits;
}

HttpAnswer Post(const HttpLimits& limits, const std::string& url) {
  HttpClient client(limits);
  client.Begin(1, {url, {"webhook-id: m1"}, R"({"type":"t","data":{}})"});
  for (;;) {
    std::vector<HttpClient::Finished> finished = client.Wait(milliseconds(100));
    if (!finished.empty()) return finished.front().answer;
  }
}

TEST(HttpClient, ReturnsTheStatusAndWhatARetryNeeds) {
  Receiver receiver;
  EXPECT_EQ(Post(Local(), receiver.Url("a", "ok")).status, 204);
  EXPECT_EQ(Post(Local(), receiver.Url("a", "status/500")).status, 500);
  const HttpAnswer answer = Post(Local(), receiver.Url("a", "status/503/retry-after/7"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.retry_after, "7");
}

TEST(HttpClient, FollowsNoRedirect) {
  Receiver receiver;
  EXPECT_EQ(Post(Local(), receiver.Url("a", "redirect")).status, 302);
  EXPECT_THAT(receiver.Requests("redirected"), IsEmpty());
}

TEST(HttpClient, RefusesPrivateAddressesAfterTheNameIsResolved) {
  Receiver receiver;
  HttpLimits limits;
  limits.allow_http = true;
  for (const char* host : {"localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1", "0.0.0.0",
                           "[::ffff:127.0.0.1]"}) {
    const HttpAnswer answer = Post(limits, receiver.Url("a", "ok", host));
    EXPECT_EQ(answer.status, 0) << host;
    EXPECT_THAT(answer.error, HasSubstr("its address is refused")) << host;
  }
  EXPECT_THAT(receiver.Requests(), IsEmpty());
  EXPECT_EQ(Post(Local(), receiver.Url("a", "ok", "localhost")).status, 204)
      << "the name itself is no reason";
}

TEST(HttpClient, UsesNoOtherProtocol) {
  Receiver receiver;
  HttpLimits limits = Local();
  limits.allow_http = false;
  EXPECT_EQ(Post(limits, receiver.Url("a", "ok")).status, 0);
  EXPECT_EQ(Post(Local(), "file:///etc/hostname").status, 0);
  EXPECT_THAT(receiver.Requests(), IsEmpty());
}

TEST(HttpClient, DoesNotUseTheProxyOfTheEnvironment) {
  Receiver receiver;
  // A receiver as a proxy would see the request.
  Receiver proxy;
  const std::string address = "http://127.0.0.1:" + std::to_string(proxy.port());
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy"}) {
    setenv(name, address.c_str(), 1);
  }
  EXPECT_EQ(Post(Local(), receiver.Url("a", "ok")).status, 204);
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy"}) unsetenv(name);
  EXPECT_THAT(proxy.Requests(), IsEmpty());
  EXPECT_EQ(receiver.Requests().size(), 1u);
}

TEST(HttpClient, EndsWhatTakesTooLong) {
  Receiver receiver;
  HttpLimits limits = Local();
  limits.timeout = milliseconds(300);
  const HttpAnswer answer = Post(limits, receiver.Url("a", "hang"));
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.error, HasSubstr("timed out"));
}

TEST(HttpClient, ReportsAConnectionThatIsResetOrRefused) {
  std::string gone;
  {
    Receiver receiver;
    gone = receiver.Url("a", "ok");
    const HttpAnswer answer = Post(Local(), receiver.Url("a", "reset"));
    EXPECT_EQ(answer.status, 0);
    EXPECT_NE(answer.error, "");
  }
  EXPECT_EQ(Post(Local(), gone).status, 0);
}

TEST(HttpClient, ReadsABoundedPartOfAnAnswer) {
  Receiver receiver;
  const HttpAnswer huge = Post(Local(), receiver.Url("a", "huge"));
  EXPECT_EQ(huge.status, 200) << "whoever has sent the head has answered";
  EXPECT_LE(huge.body.size(), 500u);
  const HttpAnswer head = Post(Local(), receiver.Url("a", "huge-head"));
  EXPECT_EQ(head.status, 0);
  EXPECT_NE(head.error, "");
}

TEST(HttpClient, VerifiesTheAuthorityAndTheNameOfACertificate) {
  const Certificate right("localhost"), other("localhost"), wrong_name("example.com");
  HttpLimits limits = Local();
  limits.allow_http = false;
  Receiver receiver(&right), misnamed(&wrong_name);

  limits.ca_file = right.certificate_file();
  EXPECT_EQ(Post(limits, receiver.Url("a", "ok", "localhost")).status, 204);
  limits.ca_file = other.certificate_file();
  EXPECT_EQ(Post(limits, receiver.Url("a", "ok", "localhost")).status, 0) << "unknown authority";
  limits.ca_file = "";
  EXPECT_EQ(Post(limits, receiver.Url("a", "ok", "localhost")).status, 0) << "not of this machine";
  limits.ca_file = wrong_name.certificate_file();
  const HttpAnswer answer = Post(limits, misnamed.Url("a", "ok", "localhost"));
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.error, HasSubstr("SSL"));
  EXPECT_EQ(receiver.Requests().size(), 1u);
  EXPECT_THAT(misnamed.Requests(), IsEmpty());
}

TEST(HttpClient, DoesManyAtTheSameTimeAndEndsThemWithoutAnAnswer) {
  Receiver receiver;
  HttpClient client(Local());
  constexpr std::int64_t kMany = 50;
  for (std::int64_t i = 0; i < kMany; ++i) {
    client.Begin(i, {receiver.Url("a", "slow/50"), {"webhook-id: " + std::to_string(i)}, "{}"});
  }
  std::set<std::int64_t> done;
  while (client.in_flight() > 0) {
    for (const HttpClient::Finished& each : client.Wait(milliseconds(100))) {
      EXPECT_EQ(each.answer.status, 204) << each.answer.error;
      done.insert(each.id);
    }
  }
  EXPECT_EQ(done.size(), static_cast<std::size_t>(kMany));
  client.Begin(1, {receiver.Url("a", "hang"), {}, "{}"});
  client.Abort();
  EXPECT_EQ(client.in_flight(), 0u);
  EXPECT_THAT(client.Wait(milliseconds(1)), IsEmpty());
}

TEST(HttpClient, RefusesAFileOfAuthoritiesThatIsNotThere) {
  HttpLimits limits;
  limits.ca_file = "/nowhere/ca.pem";
  EXPECT_THROW(HttpClient client(limits), summa::Error);
}

}  // namespace
}  // namespace webhook
