// The checker itself: each kind of violation is planted into an otherwise healthy observation, and
// must be found, alone.
#include "tests/faults/checker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace summa::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kStream[] = "summa:stream:ledger-account-credited";
constexpr char kTopic[] = "ledger-account-credited";

// Three rows of account "a", one of "b", delivered once, under fence 2 of the second host.
Observation Healthy() {
  Observation seen;
  const auto add = [&](const std::string& id, const std::string& key, const std::string& position) {
    seen.rows.push_back({id, kTopic, key, position, "{\"n\": 1}", "processed", true, false});
    seen.messages.push_back({kStream, id, kTopic, key, position, "{\"n\": 1}"});
  };
  add("row-1", "a", "10");
  add("row-2", "b", "11");
  add("row-3", "a", "12");
  add("row-4", "a", "12");  // two rows may tell of one event
  seen.events = {"event-1"};
  seen.appended.outbox = {"row-1", "row-3"};
  seen.appended.events = {"event-1"};
  seen.appended.maybe_outbox = {"row-2", "row-that-never-came"};
  seen.fences = {{"outbox-processor", "first", 1}, {"outbox-processor", "second", 2}};
  seen.writes = {{"outbox-processor", "outbox", "700", "second", "second", 2}};
  return seen;
}

TEST(Checker, FindsNothingWhereNothingIsWrong) {
  EXPECT_THAT(Violations(Healthy()), IsEmpty());
  EXPECT_EQ(Report({}), "");
}

TEST(Checker, ARepeatedMessageOfTheSameIdIsNoViolation) {
  Observation seen = Healthy();
  seen.messages.push_back(seen.messages[0]);  // a whole batch sent again, behind later ones
  seen.messages.push_back(seen.messages[2]);
  EXPECT_THAT(Violations(seen), IsEmpty());
}

TEST(Checker, FindsAnAcknowledgedRowAndAnAcknowledgedEventThatAreGone) {
  Observation seen = Healthy();
  seen.appended.outbox.insert("row-9");
  EXPECT_THAT(Violations(seen), ElementsAre("I1: acknowledged outbox row row-9 is gone"));
  seen = Healthy();
  seen.appended.events.insert("event-9");
  EXPECT_THAT(Violations(seen), ElementsAre("I1: acknowledged event event-9 is gone"));
}

TEST(Checker, FindsARowThatWasNeverDelivered) {
  Observation seen = Healthy();
  seen.messages.pop_back();
  seen.rows[3].status = "pending";
  seen.rows[3].processed_at = false;
  EXPECT_THAT(Violations(seen),
              ElementsAre(HasSubstr("row-4 (ledger-account-credited) was never delivered"),
                          HasSubstr("row-4 is not marked as delivered: status pending")));
}

TEST(Checker, FindsARowThatIsMarkedAndWasNeverDelivered) {
  Observation seen = Healthy();
  seen.messages.erase(seen.messages.begin());
  EXPECT_THAT(Violations(seen), ElementsAre(AllOf(HasSubstr("acknowledged outbox row row-1"),
                                                  HasSubstr("never delivered, yet it is marked"))));
}

TEST(Checker, FindsWrongMarks) {
  Observation seen = Healthy();
  seen.rows[0].processed_at = false;
  seen.rows[1].last_error = true;
  seen.rows[2].status = "failed";
  EXPECT_THAT(Violations(seen),
              ElementsAre(HasSubstr("row-1 is not marked as delivered: status processed, no "
                                    "processed_at"),
                          HasSubstr("row-2 is not marked as delivered: status processed, "
                                    "last_error is set"),
                          HasSubstr("row-3 is not marked as delivered: status failed")));
}

TEST(Checker, FindsAMessageOfNoRow) {
  Observation seen = Healthy();
  DeliveredMessage twin = seen.messages[0];
  twin.id = "row-8";  // a duplicate under an id of its own
  seen.messages.push_back(twin);
  seen.messages.back().position = "13";
  EXPECT_THAT(Violations(seen), ElementsAre(HasSubstr("message row-8")));
}

TEST(Checker, FindsADuplicateOfTheSameIdWithOtherContent) {
  for (auto member : {&DeliveredMessage::type, &DeliveredMessage::key, &DeliveredMessage::position,
                      &DeliveredMessage::payload}) {
    Observation seen = Healthy();
    seen.messages.push_back(seen.messages[0]);
    seen.messages.back().*member = "99";
    EXPECT_THAT(Violations(seen), ElementsAre(HasSubstr("message row-1 of " + std::string(kStream) +
                                                        " is not what its outbox row says")));
  }
}

TEST(Checker, FindsFirstOccurrencesThatAreOutOfOrderWithinAKeyOnly) {
  Observation seen = Healthy();
  std::swap(seen.messages[0], seen.messages[2]);
  EXPECT_THAT(Violations(seen), ElementsAre(HasSubstr("position 10 (row-1) came after 12")));
  seen = Healthy();
  std::swap(seen.messages[0], seen.messages[1]);  // of different keys
  EXPECT_THAT(Violations(seen), IsEmpty());
}

TEST(Checker, FindsACommitUnderAFenceThatHadPassedOn) {
  Observation seen = Healthy();
  seen.writes.push_back({"outbox-processor", "outbox", "701", "first", "second", 2});
  EXPECT_THAT(Violations(seen), ElementsAre(AllOf(HasSubstr("I7: transaction 701 of first wrote "),
                                                  HasSubstr("was held by second"))));
}

TEST(Checker, FindsFencesThatDoNotRise) {
  Observation seen = Healthy();
  seen.fences.push_back({"outbox-processor", "third", 2});
  EXPECT_THAT(Violations(seen), ElementsAre(HasSubstr("I7: the fence of outbox-processor went "
                                                      "from 2 to 2 for third")));
  seen = Healthy();
  seen.fences.push_back({"another-worker", "third", 1});
  EXPECT_THAT(Violations(seen), IsEmpty());
}

TEST(Checker, FindsWhatWasLeftBehind) {
  Observation seen = Healthy();
  seen.open_transactions = {"summa-host/first: idle in transaction"};
  seen.held_leases = {"summa-host/first/12/ab: outbox-processor until 2030"};
  EXPECT_THAT(Violations(seen), ElementsAre(HasSubstr("I12: left open by summa-host/first"),
                                            HasSubstr("I12: a lease outlived its holder")));
}

TEST(Checker, PassesOnWhatTheLedgerSays) {
  Observation seen = Healthy();
  seen.ledger_violations = {"the whole ledger is not zero: 5"};
  EXPECT_THAT(Violations(seen), ElementsAre("I1-I4: the whole ledger is not zero: 5"));
}

TEST(Checker, AReportStaysOnAPage) {
  EXPECT_THAT(Report(std::vector<std::string>(1000, "x")), HasSubstr("1000 violations"));
  EXPECT_LT(Report(std::vector<std::string>(1000, "x")).size(), 500u);
}

}  // namespace
}  // namespace summa::test
