// Which streams there are: all of them or an error, and a key that cannot be looked after is named
// while the others are.
#include <summa/testkit/fake_host.hpp>

#include "host/bus/listings.hpp"
#include "plugins/bus-redis/housekeeping.hpp"
#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::chrono::hours kRetention{48};

// A verb that was called without options; told to stop when the test says so.
class Call {
 public:
  Call() {
    call_.struct_size = sizeof call_;
    call_.self = this;
    call_.option = [](const summa_command_call* call, summa_str name, summa_str* value) {
      auto* self = static_cast<Call*>(call->self);
      if (self->stream.empty() || FromAbi(name) != "stream") return std::int32_t{0};
      *value = ToAbi(self->stream);
      return std::int32_t{1};
    };
    call_.should_stop = [](const summa_command_call* call) {
      return std::int32_t{static_cast<Call*>(call->self)->stop ? 1 : 0};
    };
    call_.progress = [](const summa_command_call* call, summa_str, std::int64_t done,
                        std::int64_t) { static_cast<Call*>(call->self)->progress = done; };
  }
  CommandCall call() const { return CommandCall(&call_); }

  std::string stream;
  bool stop = false;
  std::int64_t progress = 0;

 private:
  summa_command_call call_{};
};

class BusRedisListing : public BusRedis {
 protected:
  void SetUp() override {
    BusRedis::SetUp();
    RedisBusOptions options = Options();
    options.retention = kRetention;
    bus_ = MakeBus(options);
    table_.emplace(bus_.get());
    trimmer_.Configure(bus_.get(), kRetention);
  }
  // Entries of 1970 are older than every retention; whole nodes of 100 entries are trimmed.
  void OldStream(const std::string& name) {
    for (int i = 1; i <= 200; ++i) {
      redis_->Command({"XADD", "summa:stream:" + name, std::to_string(i) + "-1", "id", "1"});
    }
  }
  void Rights(const std::vector<std::string>& rules) {
    std::vector<std::string> words = {"ACL", "SETUSER", kUser};
    words.insert(words.end(), rules.begin(), rules.end());
    redis_->Command(words);
  }
  TickResult Trim() { return trimmer_.Run(Tick(tick_.abi())); }
  long long Left(const std::string& name) { return redis_->StreamLength("summa:stream:" + name); }

  BusClient Client() { return BusClient(table_->table()); }

  std::unique_ptr<RedisBus> bus_;
  std::optional<summa::detail::BusTable> table_;
  testkit::FakeHost host_;
  testkit::FakeTick tick_{nullptr};
  BusReporter reporter_{host_.host(), {kBusId, "Redis", "SH-0601", "start Redis"}};
  StreamTrimmer trimmer_{host_.host(), reporter_};
  Call call_;
};

TEST_F(BusRedisListing, ALoginThatMayNotScanGetsAnErrorAndNeverAnEmptyList) {
  OldStream("a");
  Rights({"-scan"});
  const auto denied = [](const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_DENIED);
    EXPECT_EQ(error.code(), "SH-0617");
    EXPECT_THAT(error.what(), HasSubstr("SCAN"));
    EXPECT_THAT(error.hint(), HasSubstr("+scan"));
  };
  denied(ErrorOf([&] { host::ListStreams(Client(), call_.call()); }));
  denied(ErrorOf([&] { host::ListGroups(Client(), call_.call()); }));
  denied(ErrorOf([&] { host::TrimStreams(Client(), call_.call()); }));
  denied(ErrorOf([&] { Trim(); }));
  denied(ErrorOf(
      [&] { bus_->DeadLetters("", "", [](const summa_bus_dead_letter&) { return true; }); }));
  // A named stream needs no list.
  call_.stream = "a";
  host::TrimStreams(Client(), call_.call());
  EXPECT_EQ(Left("a"), 0);
}

TEST_F(BusRedisListing, EveryStreamIsFoundAmongManyOtherKeysAndTheSearchCanBeStopped) {
  redis_->Command({"DEBUG", "POPULATE", "1200000", "other", "1"});
  for (int i = 0; i < 12; ++i) OldStream("s" + std::to_string(i));
  Trim();
  for (int i = 0; i < 12; ++i) EXPECT_EQ(Left("s" + std::to_string(i)), 0) << i;
  const CommandResult listed = host::ListStreams(Client(), call_.call());
  EXPECT_FALSE(listed.finding);
  EXPECT_THAT(listed.json, HasSubstr("\"s11\""));
  // Told page by page; what comes after the last page is not told.
  EXPECT_GE(call_.progress, 1'000'000);
  call_.stop = true;
  EXPECT_EQ(ErrorOf([&] { host::ListStreams(Client(), call_.call()); }).status(),
            SUMMA_E_CANCELLED);
  tick_.Stop();
  EXPECT_EQ(ErrorOf([&] { Trim(); }).status(), SUMMA_E_CANCELLED);
}

TEST_F(BusRedisListing, MoreThanTenThousandStreamsAreAllListed) {
  redis_->Command({"EVAL",
                   "for i = 1, 10500 do redis.call('XADD', 'summa:stream:s' .. i, '*', 'f', 'v') "
                   "redis.call('XADD', 'summa:dlq:s' .. i, '*', 'f', 'v') end",
                   "0"});
  EXPECT_THAT(bus_->MakeAdmin().Streams().names, SizeIs(10'500));
  int letters = 0;
  bus_->DeadLetters("", "", [&](const summa_bus_dead_letter&) { return ++letters > 0; });
  EXPECT_EQ(letters, 10'500);
}

TEST_F(BusRedisListing, AServerThatIsStillLoadingOrRefusesIsAnErrorOfTheListing) {
  OldStream("a");
  Rights({"resetkeys", "~other:*"});
  EXPECT_EQ(ErrorOf([&] { Trim(); }).code(), "SH-0617");
  Rights({"~summa:*", "-xinfo|groups"});
  const Error error = ErrorOf([&] { host::ListGroups(Client(), call_.call()); });
  EXPECT_EQ(error.code(), "SH-0617");
  EXPECT_THAT(error.hint(), HasSubstr("+xinfo|groups"));
  server_->KillNine();
  EXPECT_EQ(ErrorOf([&] { Trim(); }).status(), SUMMA_E_UNAVAILABLE);
}

TEST_F(BusRedisListing, AKeyOfAnotherTypeIsNamedOnceAndTheOtherStreamsAreTrimmed) {
  OldStream("a");
  redis_->Command({"SET", "summa:stream:b", "no stream"});
  redis_->Command({"HSET", "summa:stream:c", "f", "v"});
  redis_->Command({"XADD", "summa:stream:no:name of ours", "1-1", "f", "v"});
  OldStream("d");
  Trim();
  EXPECT_EQ(Left("a"), 0);
  EXPECT_EQ(Left("d"), 0);
  EXPECT_EQ(Left("no:name of ours"), 1) << "trimmed what is not ours";
  EXPECT_THAT(trimmer_.Warnings(), SizeIs(3));
  EXPECT_EQ(host_.CountCode("SH-0616"), 3U);
  Trim();
  EXPECT_EQ(host_.CountCode("SH-0616"), 3U) << "said again though nothing changed";

  const CommandResult listed = host::ListStreams(Client(), call_.call());
  EXPECT_FALSE(listed.finding);
  EXPECT_THAT(listed.json, HasSubstr("\"leftOut\":[{\"key\":\"summa:stream:no:name of ours\""));
  EXPECT_THAT(listed.json, HasSubstr("WRONGTYPE"));
  EXPECT_THAT(host::TrimStreams(Client(), call_.call()).json, HasSubstr("\"stream\":\"d\""));

  redis_->Command({"DEL", "summa:stream:b", "summa:stream:c", "summa:stream:no:name of ours"});
  Trim();
  EXPECT_THAT(trimmer_.Warnings(), IsEmpty());
}

TEST_F(BusRedisListing, AStreamThatTheLoginMayNotUseIsAnErrorAfterTheOthersWereTrimmed) {
  for (const char* name : {"a", "b", "c"}) OldStream(name);
  Rights({"resetkeys", "~summa:stream:a", "~summa:stream:c", "~summa:dlq:*"});
  const Error error = ErrorOf([&] { Trim(); });
  EXPECT_EQ(error.status(), SUMMA_E_DENIED);
  EXPECT_THAT(error.what(), HasSubstr("summa:stream:b"));
  EXPECT_EQ(Left("a"), 0);
  EXPECT_EQ(Left("b"), 200);
  EXPECT_EQ(Left("c"), 0);
  const CommandResult trimmed = host::TrimStreams(Client(), call_.call());
  EXPECT_TRUE(trimmed.finding) << "a part was printed as if it were all";
  EXPECT_THAT(trimmed.json, HasSubstr("summa:stream:b"));
  Rights({"~summa:*"});
  Trim();
  EXPECT_EQ(Left("b"), 0);
}

TEST_F(BusRedisListing, AKeyAmongTheDeadLettersDoesNotHideThoseOfOtherStreams) {
  redis_->Command({"SET", "summa:dlq:a", "no stream"});
  for (const char* name : {"b", "c"}) {
    redis_->Command({"XADD", std::string("summa:dlq:") + name, "*", "id", "1", "error", "e"});
  }
  std::vector<std::string> streams;
  const Error error = ErrorOf([&] {
    bus_->DeadLetters("", "", [&](const summa_bus_dead_letter& letter) {
      streams.emplace_back(FromAbi(letter.message.stream));
      return true;
    });
  });
  EXPECT_THAT(streams, ElementsAre("b", "c"));
  EXPECT_THAT(error.what(), HasSubstr("summa:dlq:a"));
}

}  // namespace
}  // namespace summa::bus_redis
