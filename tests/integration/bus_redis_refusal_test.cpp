// What Redis refuses is said as what it is: a missing right names the rule, a full server is away
// for a while, and nothing is done by halves.
#include "plugins/bus-redis/examine.hpp"
#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::microseconds kNoWait{0};

class BusRedisRefusal : public BusRedis {
 protected:
  void SetUp() override {
    BusRedis::SetUp();
    bus_ = MakeBus();
  }
  void Allow(const std::string& rule) { redis_->Command({"ACL", "SETUSER", kUser, rule}); }
  void Fill() { redis_->Command({"CONFIG", "SET", "maxmemory", "1"}); }
  void MakeRoom() { redis_->Command({"CONFIG", "SET", "maxmemory", "0"}); }
  long long Letters() { return redis_->StreamLength("summa:dlq:a"); }

  std::unique_ptr<RedisBus> bus_;
};

TEST_F(BusRedisRefusal, AConsumerThatStartsOnAFullRedisIsToldThatItIsAway) {
  Fill();
  const Error full = ErrorOf([&] { bus_->Subscribe("a", "g", "c"); });
  EXPECT_EQ(full.status(), SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(full.code(), "SH-0619");
  EXPECT_EQ(ErrorOf([&] { bus_->MakeAdmin().CreateGroup("a", "g", "0"); }).code(), "SH-0619");
  MakeRoom();
  Batch batch;
  batch.Add("a", "1");
  EXPECT_FALSE(batch.Publish(*bus_));
  EXPECT_EQ(bus_->Subscribe("a", "g", "c")->Poll(1, kNoWait).size(), 1U);
}

TEST_F(BusRedisRefusal, ALetterThatCannotBeMovedOnAFullRedisStaysWhereItIs) {
  redis_->Command({"XADD", "summa:dlq:a", "1-1", "id", "1", "error", "e"});
  Fill();
  std::uint64_t done = 0;
  const std::string text = "1-1";
  const summa_str id = ToAbi(text);
  const Error full = ErrorOf([&] { bus_->Redrive("a", std::span(&id, 1), done); });
  EXPECT_EQ(full.code(), "SH-0619");
  EXPECT_EQ(full.status(), SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(done, 0U);
  EXPECT_EQ(Letters(), 1);
}

TEST_F(BusRedisRefusal, WithoutWatchOrMultiNoLetterIsMoved) {
  redis_->Command({"XADD", "summa:dlq:a", "1-1", "id", "1", "error", "e"});
  const std::string text = "1-1";
  const summa_str id = ToAbi(text);
  for (const char* right : {"watch", "multi", "xdel"}) {
    Allow(std::string("-") + right);
    std::uint64_t done = 0;
    const Error denied = ErrorOf([&] { bus_->Redrive("a", std::span(&id, 1), done); });
    EXPECT_EQ(denied.code(), std::string_view(right) == "multi" ? "SH-0609" : "SH-0617") << right;
    EXPECT_THAT(denied.hint(), HasSubstr(std::string("+") + right));
    EXPECT_EQ(Letters(), 1) << right;
    EXPECT_EQ(redis_->StreamLength("summa:stream:a"), 0) << right;
    Allow(std::string("+") + right);
  }
}

TEST_F(BusRedisRefusal, WithoutMultiAMessageIsNeitherBuriedNorAcknowledged) {
  Batch batch;
  batch.Add("a", "1");
  EXPECT_FALSE(batch.Publish(*bus_));
  const auto subscription = bus_->Subscribe("a", "g", "c");
  const std::string id(FromAbi(subscription->Poll(1, kNoWait)[0].delivery_id));
  Allow("-multi");
  const Error denied = ErrorOf([&] { subscription->DeadLetter(ToAbi(id), "bad"); });
  EXPECT_EQ(denied.code(), "SH-0609");
  EXPECT_EQ(Letters(), 0);
  EXPECT_EQ(bus_->MakeAdmin().Groups("a")[0].pending, 1);
}

TEST_F(BusRedisRefusal, AMessageThatIsNoLongerHeldIsNotBuriedAndNotCounted) {
  struct Counted final : BusEvents {
    void DeadLettered(const GroupReaderOptions&) override { ++count; }
    int count = 0;
  } counted;
  RedisBus bus(Options(), &counted);
  Batch batch;
  batch.Add("a", "settled");
  batch.Add("a", "taken over");
  batch.Add("a", "deleted");
  EXPECT_FALSE(batch.Publish(bus));
  const auto late = bus.Subscribe("a", "g", "late");
  std::vector<std::string> ids;
  for (const auto& delivery : late->Poll(3, kNoWait))
    ids.emplace_back(FromAbi(delivery.delivery_id));
  ASSERT_EQ(ids.size(), 3U);
  const summa_str settled = ToAbi(ids[0]);
  late->Ack(std::span(&settled, 1));
  redis_->Command({"XCLAIM", "summa:stream:a", "g", "other", "0", ids[1]});
  redis_->Command({"XDEL", "summa:stream:a", ids[2]});
  for (const std::string& id : ids) late->DeadLetter(ToAbi(id), "bad");
  EXPECT_EQ(Letters(), 0);
  EXPECT_EQ(counted.count, 0);
  const auto others = redis_->Command({"XPENDING", "summa:stream:a", "g", "-", "+", "9", "other"});
  EXPECT_EQ(others.items.size(), 1U) << "it was settled under the reader that has it";
}

TEST_F(BusRedisRefusal, AMissingRightIsNotTakenForAMissingStream) {
  redis_->Command({"XADD", "summa:stream:a", "*", "id", "1"});
  const auto look = [&](const char* right, auto&& action) {
    Allow(std::string("-") + right);
    const Error denied = ErrorOf(action);
    EXPECT_EQ(denied.code(), "SH-0617") << right << ": " << denied.what();
    EXPECT_THAT(denied.hint(), HasSubstr(std::string("+") + right));
    Allow(std::string("+") + right);
  };
  const auto all = [](const summa_bus_delivery&) { return true; };
  look("exists", [&] { bus_->Read("a", "", 10, all); });
  look("xrevrange", [&] { bus_->Read("a", "", 10, all); });
  ScanOptions whole;
  whole.stream = "a";
  look("xrange", [&] { bus_->Scan(whole, all); });
  look("xinfo|stream", [&] { bus_->Horizon("a"); });
  look("time", [&] { bus_->Horizon("a"); });
  look("xpending",
       [&] { bus_->MakeAdmin().CreateGroup("a", "g", "0"), bus_->MakeAdmin().Groups("a"); });
  look("xtrim", [&] { bus_->MakeAdmin().Trim("a", std::chrono::hours(1), false); });
  look("xgroup|destroy", [&] { bus_->MakeAdmin().DeleteGroup("a", "g"); });
}

TEST_F(BusRedisRefusal, WhatWasGivenBackIsNotForgottenWhileItCannotBeLookedUp) {
  Batch batch;
  batch.Add("a", "1");
  EXPECT_FALSE(batch.Publish(*bus_));
  const auto subscription = bus_->Subscribe("a", "g", "c");
  std::string id(FromAbi(subscription->Poll(1, kNoWait)[0].delivery_id));
  const summa_str borrowed = ToAbi(id);
  subscription->Nack(std::span(&borrowed, 1), kNoWait);
  Allow("-xpending");
  EXPECT_EQ(ErrorOf([&] { subscription->Poll(1, kNoWait); }).code(), "SH-0617");
  Allow("+xpending");
  EXPECT_EQ(subscription->Poll(1, kNoWait).size(), 1U);
}

class BusRedisRights : public BusRedisRefusal {
 protected:
  // What `doctor` says of them.
  std::vector<Finding> Examine() {
    std::vector<Finding> rights;
    Servers servers = bus_->MakeServers("doctor");
    try {
      ExamineServers(servers, bus_->names(), 0, [&](const Finding& finding) {
        if (finding.subject.starts_with("rights")) rights.push_back(finding);
      });
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0617") << error.what();  // INFO, which it cannot do without
    }
    return rights;
  }
};

TEST_F(BusRedisRights, WithExactlyTheDocumentedRightsDoctorMissesNone) {
  const std::vector<Finding> rights = Examine();
  ASSERT_EQ(rights.size(), 1U);
  EXPECT_EQ(rights[0].severity, Severity::kOk) << rights[0].found;
  EXPECT_THAT(redis_->Keys("*"), ::testing::IsEmpty()) << "something was written";
}

TEST_F(BusRedisRights, DoctorNamesEachRightThatIsMissingAndTheRuleToAdd) {
  std::string last;
  for (const Right& right : Rights()) {
    if (right.rule == "+ping" || right.rule == std::exchange(last, right.rule)) continue;
    redis_->Command({"ACL", "SETUSER", kUser, "-" + std::string(right.rule.substr(1))});
    bool named = false;
    for (const Finding& finding : Examine()) {
      if (finding.fix.empty()) continue;
      EXPECT_EQ(finding.severity, right.needed ? Severity::kError : Severity::kOk) << finding.found;
      EXPECT_EQ(finding.fix, "ACL SETUSER summa-host " + std::string(right.rule));
      named = true;
    }
    EXPECT_TRUE(named) << right.rule;
    redis_->Command({"ACL", "SETUSER", kUser, std::string(right.rule)});
  }
}

TEST_F(BusRedisRights, DoctorNamesKeysThatTheLoginMayNotUse) {
  for (const char* keys : {"~other:*", "~summa:stream:*", "%R~summa:*"}) {
    Allow("resetkeys");
    Allow(keys);
    const std::vector<Finding> rights = Examine();
    ASSERT_FALSE(rights.empty());
    EXPECT_EQ(rights[0].severity, Severity::kError) << keys;
    EXPECT_EQ(rights[0].fix, "ACL SETUSER summa-host ~summa:*") << keys;
  }
}

TEST_F(BusRedisRights, AReplicaIsExaminedToItsEnd) {
  redis_->Command({"REPLICAOF", "127.0.0.1", "1"});
  std::vector<std::string> subjects;
  Servers servers = bus_->MakeServers("doctor");
  ExamineServers(servers, bus_->names(), 0, [&](const Finding& finding) {
    if (finding.severity == Severity::kError) subjects.push_back(finding.subject);
  });
  EXPECT_THAT(subjects, ::testing::Contains("role"));
}

}  // namespace
}  // namespace summa::bus_redis
