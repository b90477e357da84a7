// What a user of webhooks sees: endpoints are added, get their events, fail, are mended.
#include <gmock/gmock.h>

#include <set>
#include <summa/testkit/wait_until.hpp>

#include "webhook_host.hpp"

namespace webhook {
namespace {

using summa::testkit::HostProgram;
using summa::testkit::RunningHost;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Webhook : public WebhookTest {};

std::set<std::string> Ids(const std::vector<Request>& requests) {
  std::set<std::string> ids;
  for (const Request& request : requests) ids.insert(request.id);
  return ids;
}

TEST_F(Webhook, DeliversEachEventOnceSignedAndInOrderPerKey) {
  AddEndpoint("shop", "ok");
  const auto ids = PublishNumbered(40, 4);
  RunOnce();
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, 0), IsEmpty());
  EXPECT_THAT(receiver().Requests("shop"), SizeIs(40));
  EXPECT_EQ(Count("state = 'delivered' AND attempts = 1"), 40);
  EXPECT_EQ(db().Count("SELECT count(*) FROM webhook.lane"), 0);
  // Said aloud, since the word of the second implementation alone is worth less.
  const std::string verified = receiver().Requests("shop").front().verified;
  EXPECT_EQ(verified, receiver().has_library() ? "both" : "own");
  if (!receiver().has_library()) {
    printf("skipped: signatures by Python's standardwebhooks, which is not installed\n");
  }
}

TEST_F(Webhook, SendsTheTopicsAndHoldersThatAnEndpointHasAskedFor) {
  ledger().OpenAccount(1);  // of holder_1
  const std::string account = ledger().AccountId(1);
  AddEndpoint("all", "ok");
  AddEndpoint("credits", "ok", {"--topics", "ledger-account-credited"});
  AddEndpoint("accounts", "ok", {"--topics", "ledger-account-*,ledger-hold-voided"});
  AddEndpoint("holder", "ok", {"--holders", "holder_1,holder_7"});
  Publish({{"credit", "a", "ledger-account-credited", "holder_7"},
           {"debit", "a", "ledger-account-debited", "holder_8"},
           {"hold", "b", "ledger-hold-created", ""},
           {"refund", "c", "ledger-account-debited", "", account},
           {"foreign", "d", "ledger-account-debited", "", "no uuid"}});
  RunOnce();
  const auto got = [&](const std::string& name) { return Ids(receiver().Requests(name)); };
  EXPECT_EQ(got("all"), (std::set<std::string>{"credit", "debit", "foreign", "hold", "refund"}));
  EXPECT_EQ(got("credits"), (std::set<std::string>{"credit"}));
  EXPECT_EQ(got("accounts"), (std::set<std::string>{"credit", "debit", "foreign", "refund"}));
  EXPECT_EQ(got("holder"), (std::set<std::string>{"credit", "refund"}));
}

TEST_F(Webhook, SignsWithBothSecretsWhileTheyAreRotated) {
  const std::string old_secret = AddEndpoint("shop", "ok");
  const std::string new_secret = Member(Verb({"rotate", "shop"}), "secret");
  ASSERT_NE(old_secret, new_secret);
  receiver().SetSecrets("shop", old_secret + " " + new_secret);
  PublishNumbered(1, 1);
  RunOnce();
  ASSERT_THAT(receiver().Requests("shop"), SizeIs(1));
  EXPECT_THAT(receiver().Requests("shop")[0].verified, testing::AnyOf("both", "own"));

  const std::string newest = Member(Verb({"rotate", "shop", "--at-once"}), "secret");
  receiver().SetSecrets("shop", newest);
  PublishNumbered(1, 1, 1);
  RunOnce();
  ASSERT_THAT(receiver().Requests("shop"), SizeIs(2));
  const Request second = receiver().Requests("shop")[1];
  EXPECT_THAT(second.verified, testing::AnyOf("both", "own"));
  EXPECT_THAT(second.signature, Not(HasSubstr(" "))) << "the old ones sign no more";
  EXPECT_THAT(Verb({"show", "shop"}), Not(HasSubstr("whsec_")));
}

TEST_F(Webhook, KeepsWhatIsForAPausedEndpoint) {
  AddEndpoint("shop", "ok");
  Verb({"pause", "shop"});
  const auto ids = PublishNumbered(10, 2);
  RunOnce();
  EXPECT_THAT(receiver().Requests("shop"), IsEmpty());
  EXPECT_THAT(Verb({"list"}),
              AllOf(HasSubstr(R"("state":"paused")"), HasSubstr(R"("pending":10)")));
  Verb({"resume", "shop"});
  RunOnce();
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, 0), IsEmpty());
}

TEST_F(Webhook, TestsAnEndpointAtOnce) {
  AddEndpoint("good", "ok");
  AddEndpoint("bad", "status/401");
  EXPECT_THAT(Verb({"test", "good"}),
              AllOf(HasSubstr(R"("accepted":true)"), HasSubstr(R"("status":204)")));
  const auto failed = host().Run({"webhook", "test", "bad", "--output", "json"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.out, AllOf(HasSubstr(R"("accepted":false)"), HasSubstr("HTTP 401")));
  ASSERT_THAT(receiver().Requests("good"), SizeIs(1));
  EXPECT_EQ(receiver().Requests("good")[0].type, "webhook.test");
  EXPECT_THAT(receiver().Requests("good")[0].verified, testing::AnyOf("both", "own"));
  EXPECT_EQ(host().Run({"webhook", "test", "unknown"}).exit_code, 66);
}

TEST_F(Webhook, GivesUpAfterItsAttemptsAndReplaysWhenTheEndpointIsMended) {
  Set("max_attempts", "2");
  Set("circuit_failures", "1000");
  AddEndpoint("shop", "switch");
  receiver().Switch("shop", 500);
  const auto ids = PublishNumbered(6, 2);
  RunningHost running(host());
  running.AwaitReady();
  AwaitSettled(6);
  EXPECT_EQ(Count("state = 'dead' AND attempts = 2 AND last_status = 500"), 6);
  EXPECT_THAT(running.process().Stderr(), HasSubstr("WH-0004"));
  EXPECT_THAT(Verb({"show", "shop"}), HasSubstr("HTTP 500"));

  receiver().Switch("shop", 204);
  EXPECT_EQ(Member(Verb({"replay", "shop", "--message", "m3"}), "replayed"), "1");
  summa::testkit::WaitUntil([&] { return Count("state = 'delivered'") == 1; },
                            summa::testkit::kTimeout, "m3");
  EXPECT_EQ(Member(Verb({"replay", "shop"}), "replayed"), "5");
  AwaitSettled(6);
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, 0), IsEmpty());
  EXPECT_EQ(Member(Verb({"replay", "shop"}), "replayed"), "0");
  EXPECT_EQ(Member(Verb({"replay", "shop", "--delivered", "--since", "1h"}), "replayed"), "6");
  AwaitSettled(6);
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, 6), IsEmpty());
  EXPECT_EQ(running.Stop(), 0);
}

TEST_F(Webhook, RetriesInOrder) {
  AddEndpoint("shop", "first/2/503");
  const auto ids = PublishNumbered(20, 2);
  RunningHost running(host());
  AwaitSettled(20);
  summa::testkit::WaitUntil([&] { return receiver().Accepted("shop") == 20; },
                            summa::testkit::kTimeout, "20 events");
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, 0), IsEmpty());
  EXPECT_EQ(Count("state = 'delivered' AND attempts = 3"), 20);
}

TEST_F(Webhook, PausesAnEndpointThatIsGone) {
  AddEndpoint("shop", "status/410");
  PublishNumbered(3, 1);
  RunOnce();
  EXPECT_THAT(receiver().Requests("shop"), SizeIs(1));
  EXPECT_THAT(Verb({"list"}), AllOf(HasSubstr(R"("state":"paused")"), HasSubstr("410"),
                                    HasSubstr(R"("pending":3)")));
}

TEST_F(Webhook, WaitsAsLongAsAnEndpointAsksForAndCountsNoAttempt) {
  Set("retry_longest", "1h");
  AddEndpoint("shop", "status/429/retry-after/1800");
  PublishNumbered(5, 5);
  RunOnce();
  EXPECT_EQ(Count("state = 'pending' AND attempts = 0"), 5);
  EXPECT_EQ(db().Count("SELECT count(*) FROM webhook.endpoint WHERE failures = 0 AND not_before "
                       "BETWEEN now() + interval '20 min' AND now() + interval '30 min'"),
            1);
  const std::size_t asked = receiver().Requests("shop").size();
  RunOnce();
  EXPECT_THAT(receiver().Requests("shop"), SizeIs(asked)) << "it is left alone until then";
}

TEST_F(Webhook, LeavesAnEndpointAloneThatKeepsFailing) {
  Set("circuit_failures", "3");
  Set("circuit_first", "1h");
  Set("circuit_longest", "1h");
  Set("retry_first", "1ms");
  Set("endpoint_concurrency", "1");
  AddEndpoint("bad", "status/500");
  AddEndpoint("good", "ok");
  const auto ids = PublishNumbered(20, 20);
  const auto run = host().Run({"run", "--once"});
  EXPECT_THAT(run.err, HasSubstr("WH-0005"));
  EXPECT_THAT(receiver().Requests("bad"), SizeIs(3));
  EXPECT_EQ(db().Value("SELECT failures FROM webhook.endpoint WHERE id = 'bad'"), "3");
  EXPECT_THAT(Violations(receiver().Requests("good"), ids, 0), IsEmpty());
  EXPECT_THAT(Verb({"list"}), HasSubstr(R"("state":"failing")"));

  // A warning names it; the host is ready all the same.
  RunningHost running(host());
  running.AwaitReady();
  Verb({"resume", "bad"});
  summa::testkit::WaitUntil([&] { return receiver().Requests("bad").size() >= 6; },
                            summa::testkit::kTimeout, "three more attempts");
  EXPECT_EQ(running.Stop(), 0);
}

TEST_F(Webhook, RemovesAnEndpointWithAllThatWaitsForIt) {
  AddEndpoint("shop", "ok");
  AddEndpoint("other", "ok");
  Verb({"pause", "shop"});
  Verb({"pause", "other"});
  PublishNumbered(5, 5);
  RunOnce();
  Verb({"remove", "shop"});
  EXPECT_EQ(host().Run({"webhook", "show", "shop"}).exit_code, 66);
  EXPECT_EQ(Count("endpoint = 'shop'"), 0);
  EXPECT_EQ(db().Count("SELECT count(*) FROM webhook.lane WHERE endpoint = 'shop'"), 0);
  EXPECT_EQ(db().Count("SELECT count(*) FROM webhook.secret WHERE endpoint = 'shop'"), 0);
  EXPECT_EQ(Count("endpoint = 'other'"), 5);
}

// `webhook remove` was killed after its first step.
TEST_F(Webhook, SendsNothingOfARemovedEndpointToANewOneOfItsName) {
  AddEndpoint("shop", "ok");
  AddEndpoint("other", "ok");
  Verb({"pause", "shop"});
  Verb({"pause", "other"});
  PublishNumbered(5, 5);
  RunOnce();
  db().Execute("DELETE FROM webhook.endpoint");
  db().Execute("DELETE FROM webhook.secret");
  AddEndpoint("shop", "ok");
  EXPECT_EQ(Count("endpoint = 'shop'"), 0);
  EXPECT_EQ(Count("endpoint = 'other'"), 5);
  host().RunOrThrow({"run", "--once", "--only", "webhook-sender"});
  EXPECT_THAT(receiver().Requests("shop"), IsEmpty());
  host().RunOrThrow({"run", "--once", "--only", "webhook-cleanup"});
  EXPECT_EQ(Count("endpoint = 'other'"), 0);
  EXPECT_EQ(db().Count("SELECT count(*) FROM webhook.lane WHERE endpoint = 'other'"), 0);
}

TEST_F(Webhook, LetsNoEndpointWaitForOneWhoseSecretIsBroken) {
  AddEndpoint("bad", "ok");
  AddEndpoint("none", "ok");
  AddEndpoint("good", "ok");
  db().Execute("UPDATE webhook.secret SET secret = 'nonsense' WHERE endpoint = 'bad'");
  db().Execute("DELETE FROM webhook.secret WHERE endpoint = 'none'");
  const auto ids = PublishNumbered(20, 4);
  RunOnce();
  EXPECT_THAT(Violations(receiver().Requests("good"), ids, 0), IsEmpty());
  EXPECT_THAT(receiver().Requests("bad"), IsEmpty());
  EXPECT_THAT(receiver().Requests("none"), IsEmpty());
  EXPECT_EQ(Count("endpoint <> 'good' AND state <> 'pending'"), 0);
  for (const char* endpoint : {"bad", "none"}) {
    EXPECT_THAT(Verb({"show", endpoint}), HasSubstr("webhook.secret")) << endpoint;
    EXPECT_EQ(host().Run({"webhook", "test", endpoint}).exit_code, 65) << endpoint;
    const std::string secret = Member(Verb({"rotate", endpoint, "--at-once"}), "secret");
    receiver().SetSecrets(endpoint, secret);
    Verb({"resume", endpoint});
  }
  RunOnce();
  EXPECT_THAT(Violations(receiver().Requests("bad"), ids, 0), IsEmpty());
  EXPECT_THAT(Violations(receiver().Requests("none"), ids, 0), IsEmpty());
}

TEST_F(Webhook, DeletesWhatIsOlderThanTheRetention) {
  AddEndpoint("shop", "ok");
  PublishNumbered(5, 5);
  RunOnce();
  db().Execute(
      "UPDATE webhook.delivery SET settled_at = now() - interval '8 days' "
      "WHERE message_id IN ('m1', 'm2')");
  host().RunOrThrow({"run", "--once", "--only", "webhook-cleanup"});
  EXPECT_EQ(Count("true"), 3);
}

TEST_F(Webhook, RefusesAnEndpointInAPrivateNetwork) {
  Set("allow_networks", "[]");
  const auto refused = host().Run({"webhook", "add", "inner", receiver().Url("inner", "ok")});
  EXPECT_EQ(refused.exit_code, 64);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("WH-0002"), HasSubstr("loopback")));
  EXPECT_EQ(host().Run({"webhook", "add", "inner", "gopher://example.com/"}).exit_code, 64);
  // A name is known only when it is resolved.
  Verb({"add", "inner", receiver().Url("inner", "ok", "localhost")});
  PublishNumbered(1, 1);
  RunOnce();
  EXPECT_THAT(receiver().Requests(), IsEmpty());
  EXPECT_EQ(Count("state = 'pending' AND last_error LIKE '%address is refused: loopback%'"), 1);
}

TEST_F(Webhook, AnswersWrongUseWithItsCodes) {
  AddEndpoint("shop", "ok");
  const auto again = host().Run({"webhook", "add", "shop", receiver().Url("shop", "ok")});
  EXPECT_EQ(again.exit_code, 64);
  EXPECT_THAT(again.err, HasSubstr("WH-0003"));
  for (const char* verb : {"show", "test", "pause", "resume", "rotate", "replay", "remove"}) {
    const auto unknown = host().Run({"webhook", verb, "nobody"});
    EXPECT_EQ(unknown.exit_code, 66) << verb;
    EXPECT_THAT(unknown.err, HasSubstr("WH-0001")) << verb;
  }
  Set("allow_networks", "[nonsense]");
  const auto wrong = HostProgram(Configuration()).Run({"webhook", "list"});
  EXPECT_EQ(wrong.exit_code, 78);
  EXPECT_THAT(wrong.err, HasSubstr("WH-0007"));
}

TEST_F(Webhook, GetsTheEventsOfTheLedgerByItsOutbox) {
  SetOthers("  outbox: { use: { bus: bus-redis } }\n");
  AddEndpoint("shop", "ok");
  db().Execute(
      "INSERT INTO outbox (topic, payload) SELECT 'ledger-account-credited', "
      "jsonb_build_object('accountId', md5((n % 3)::text)::uuid, 'holderId', 'h', 'key', 'k') "
      "FROM generate_series(1, 30) n");
  RunningHost running(host());
  summa::testkit::WaitUntil([&] { return receiver().Accepted("shop") == 30; },
                            summa::testkit::kTimeout, "the events of the outbox");
  for (const Request& request : receiver().Requests("shop")) {
    EXPECT_THAT(request.verified, testing::AnyOf("both", "own"));
  }
  EXPECT_EQ(running.Stop(), 0);
}

}  // namespace
}  // namespace webhook
