// What follows from an answer.
#include "outcome.hpp"

#include <gmock/gmock.h>

namespace webhook {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using Kind = Judgement::Kind;

constexpr summa::UnixTime kNow{seconds(1'700'000'000)};  // Tue, 14 Nov 2023 22:13:20 GMT
const summa::Backoff::Random kNone = [] { return 0.0; };

Judgement JudgeStatus(int status, const std::string& retry_after = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.retry_after = retry_after;
  return Judge(answer, kNow, hours(1));
}

TEST(Judge, AcceptsEveryStatusFrom200To299AndNoOther) {
  for (const int status : {200, 201, 202, 204, 299}) {
    EXPECT_EQ(JudgeStatus(status).kind, Kind::kAccepted) << status;
  }
  for (const int status : {0, 301, 302, 304, 307, 400, 401, 403, 404, 408, 429, 500, 502, 503}) {
    EXPECT_EQ(JudgeStatus(status).kind, Kind::kFailed) << status;
    EXPECT_TRUE(JudgeStatus(status).counts) << status;
  }
  EXPECT_EQ(JudgeStatus(410).kind, Kind::kGone);
}

TEST(Judge, SaysWhatWasWrongInOneLineOfPrintableText) {
  HttpAnswer answer;
  answer.error = "Connection refused";
  EXPECT_EQ(Judge(answer, kNow, hours(1)).error, "Connection refused");
  answer.status = 500;
  answer.body = "no\nway \x01\xff" + std::string(1000, 'x');
  const std::string error = Judge(answer, kNow, hours(1)).error;
  EXPECT_THAT(error, HasSubstr("HTTP 500: no way   xxx"));
  EXPECT_LT(error.size(), 250u);
  EXPECT_THAT(JudgeStatus(302).error, HasSubstr("redirects are not followed"));
}

TEST(Judge, CountsNoAttemptWhereTheEndpointAsksForAPause) {
  for (const int status : {429, 503}) {
    const Judgement judgement = JudgeStatus(status, "30");
    EXPECT_FALSE(judgement.counts);
    EXPECT_EQ(judgement.hold, seconds(30));
  }
  EXPECT_EQ(JudgeStatus(503, "86400").hold, hours(1)) << "at most the longest pause";
  EXPECT_EQ(JudgeStatus(503, "soon").hold, seconds(0));
  EXPECT_TRUE(JudgeStatus(503, "soon").counts);
}

TEST(ParseRetryAfter, TakesSecondsAndDates) {
  EXPECT_EQ(ParseRetryAfter("0", kNow), seconds(0));
  EXPECT_EQ(ParseRetryAfter("120", kNow), seconds(120));
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Nov 2023 22:14:20 GMT", kNow), seconds(60));
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Nov 2023 22:00:00 GMT", kNow), seconds(0)) << "it is over";
  EXPECT_GT(ParseRetryAfter("99999999999999999999", kNow).value(), hours(1));
  for (const char* text : {"", "soon", "12 apples"}) {
    EXPECT_FALSE(ParseRetryAfter(text, kNow)) << text;
  }
}

TEST(NextAttempt, DoublesUpToTheLongestPauseWithHalfOfItAtRandom) {
  const RetryRules rules{seconds(4), seconds(60), hours(72), 100};
  EXPECT_EQ(NextAttempt(rules, 1, seconds(0), kNone), seconds(2));
  EXPECT_EQ(NextAttempt(rules, 2, seconds(0), kNone), seconds(4));
  EXPECT_EQ(NextAttempt(rules, 5, seconds(0), kNone), seconds(30));
  EXPECT_EQ(NextAttempt(rules, 99, seconds(0), kNone), seconds(30));
  EXPECT_LT(NextAttempt(rules, 1, seconds(0), [] { return 0.999; }).value(), seconds(4));
  EXPECT_GT(NextAttempt(rules, 1, seconds(0), [] { return 0.999; }).value(), milliseconds(3900));
}

TEST(NextAttempt, GivesUpByNumberAndByAge) {
  const RetryRules rules{seconds(4), seconds(60), hours(72), 3};
  EXPECT_TRUE(NextAttempt(rules, 2, hours(71)));
  EXPECT_FALSE(NextAttempt(rules, 3, seconds(0)));
  EXPECT_FALSE(NextAttempt(rules, 0, hours(72)));
}

TEST(Circuit, OpensAfterFailuresInARowAndClosesWhenSomethingIsAccepted) {
  const CircuitRules rules{3, seconds(10), seconds(30)};
  Circuit circuit;
  EXPECT_EQ(circuit.Failed(rules, 0, kNone), seconds(0));
  EXPECT_EQ(circuit.Failed(rules, 0, kNone), seconds(0));
  circuit.Accepted();
  EXPECT_EQ(circuit.Failed(rules, 0, kNone), seconds(0));
  EXPECT_EQ(circuit.Failed(rules, 0, kNone), seconds(0));
  EXPECT_EQ(circuit.Failed(rules, 0, kNone), seconds(5));
  EXPECT_EQ(circuit.openings, 1);
  // The delivery that tries it.
  EXPECT_EQ(circuit.Failed(rules, 1, kNone), seconds(10));
  EXPECT_EQ(circuit.Failed(rules, 2, kNone), seconds(15));
  circuit.Accepted();
  EXPECT_EQ(circuit.openings, 0);
  EXPECT_EQ(circuit.failures, 0);
}

TEST(Circuit, IsNotOpenedAgainByWhatBeganBefore) {
  const CircuitRules rules{1, seconds(10), seconds(30)};
  Circuit circuit;
  EXPECT_EQ(circuit.Failed(rules, 0, kNone), seconds(5));
  EXPECT_EQ(circuit.Failed(rules, 0, kNone), seconds(0));
  EXPECT_EQ(circuit.openings, 1);
}

}  // namespace
}  // namespace webhook
