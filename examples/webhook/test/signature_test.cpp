// Signatures against vectors that the library standardwebhooks of Python has made.
#include "signature.hpp"

#include <gmock/gmock.h>

#include <set>
#include <summa/error.hpp>
#include <vector>

#include "sender.hpp"

namespace webhook {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

const std::string kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::string kOther = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

TEST(Signatures, AreThoseOfTheLibrary) {
  EXPECT_EQ(Signatures(std::vector{kSecret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                       R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  EXPECT_EQ(Signatures(std::vector{kOther}, "1", 1700000000, "{}"),
            "v1,OKdpZILtMrDIUdoqzm3g8ywFIIvkCJSHgKaD+3yZOuE=");
}

TEST(Signatures, HaveOneForEachSecret) {
  const std::string one = Signatures(std::vector{kSecret}, "1", 1700000000, "{}");
  const std::string other = Signatures(std::vector{kOther}, "1", 1700000000, "{}");
  EXPECT_EQ(Signatures(std::vector{kSecret, kOther}, "1", 1700000000, "{}"), one + " " + other);
}

TEST(Signatures, RefuseWhatIsNoSecret) {
  for (const char* secret :
       {"", "whsec_", "whsec_!!!!", "whsec_abc", "MfKQ9r8GKYqrTwjUPD8ILPZIo2La"}) {
    EXPECT_THROW(Signatures(std::vector<std::string>{secret}, "1", 1, "{}"), summa::Error)
        << secret;
  }
  EXPECT_THROW(Signatures({}, "1", 1, "{}"), summa::Error) << "nobody could verify it";
}

TEST(NewSecret, HasThirtyTwoBytesAndIsNeverTheSame) {
  std::set<std::string> secrets;
  constexpr std::size_t kMany = 100;
  for (std::size_t i = 0; i < kMany; ++i) secrets.insert(NewSecret());
  EXPECT_EQ(secrets.size(), kMany);
  EXPECT_THAT(*secrets.begin(), MatchesRegex("whsec_[A-Za-z0-9+/]{43}="));
  EXPECT_NO_THROW(Signatures(std::vector{*secrets.begin()}, "1", 1, "{}"));
}

TEST(RequestOf, HasTheBodyAndTheHeadersOfTheSpecification) {
  Letter letter;
  letter.url = "https://example.com/hook";
  letter.message_id = "msg_1";
  letter.type = "ledger-account-credited";
  letter.happened_at = "2026-01-31T12:00:00.123456Z";
  letter.payload = R"({"amount": 5})";
  const HttpRequest request = RequestOf(letter, std::vector{kSecret}, 1700000000);
  EXPECT_EQ(request.body,
            R"({"type":"ledger-account-credited","timestamp":"2026-01-31T12:00:00.123456Z",)"
            R"("data":{"amount": 5}})");
  EXPECT_THAT(request.headers,
              ElementsAre("content-type: application/json", "webhook-id: msg_1",
                          "webhook-timestamp: 1700000000", HasSubstr("webhook-signature: v1,")));
}

}  // namespace
}  // namespace webhook
