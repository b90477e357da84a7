// Looking at streams without a group: the bus's read and the verb `bus tail`.
#include <map>

#include "host/bus/tail.hpp"
#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A call of the verb as the host makes it.
class FakeCall {
 public:
  using Options = std::map<std::string, std::string>;
  explicit FakeCall(Options given) : options_(std::move(given)) {
    call_.struct_size = sizeof call_;
    call_.self = this;
    call_.option = [](const summa_command_call* call, summa_str name, summa_str* value) {
      const auto& options = Self(call)->options_;
      const auto found = options.find(std::string(FromAbi(name)));
      if (found == options.end()) return 0;
      *value = ToAbi(found->second);
      return 1;
    };
    call_.should_stop = [](const summa_command_call* call) { return Self(call)->stopped_ ? 1 : 0; };
    call_.wait = [](const summa_command_call* call, std::int64_t) {
      FakeCall* self = Self(call);
      if (self->on_wait) self->stopped_ = self->on_wait();
      return self->stopped_ ? 1 : 0;
    };
    call_.emit = [](const summa_command_call* call, summa_str json) {
      Self(call)->emitted.emplace_back(FromAbi(json));
    };
    call_.progress = [](const summa_command_call*, summa_str, std::int64_t, std::int64_t) {};
  }
  FakeCall(const FakeCall&) = delete;
  FakeCall& operator=(const FakeCall&) = delete;
  CommandCall call() { return CommandCall(&call_); }

  std::function<bool()> on_wait;  // true: told to stop
  std::vector<std::string> emitted;

 private:
  static FakeCall* Self(const summa_command_call* call) {
    return static_cast<FakeCall*>(call->self);
  }
  Options options_;
  bool stopped_ = false;
  summa_command_call call_{};
};

class BusRedisTail : public BusRedis {
 protected:
  void PublishNumbers(std::size_t from, std::size_t to) {
    Batch batch;
    for (std::size_t i = from; i < to; ++i) batch.Add("a", std::to_string(i));
    EXPECT_FALSE(batch.Publish(*bus_ptr()));
  }
  RedisBus* bus_ptr() {
    if (!bus_) bus_ = MakeBus();
    return bus_.get();
  }
  std::vector<std::string> ReadIds(std::string_view after, std::size_t count,
                                   std::vector<std::string>* delivery_ids = nullptr) {
    std::vector<std::string> ids;
    bus_ptr()->Read("a", after, count, [&](const summa_bus_delivery& delivery) {
      ids.emplace_back(FromAbi(delivery.message.id));
      if (delivery_ids != nullptr) delivery_ids->emplace_back(FromAbi(delivery.delivery_id));
      return true;
    });
    return ids;
  }
  std::string ServerMilliseconds() {
    const auto time = redis_->Command({"TIME"});
    return time.items.at(0).text + "." + std::to_string(std::stol(time.items.at(1).text) / 1000);
  }
  CommandResult Tail(FakeCall& call) {
    const summa::detail::BusTable table(bus_ptr());
    return host::TailStream(BusClient(table.table()), call.call());
  }

  std::unique_ptr<RedisBus> bus_;
};

TEST_F(BusRedisTail, ReadGivesTheLatestMessagesOldestFirst) {
  PublishNumbers(0, 10);
  EXPECT_THAT(ReadIds("", 3), ElementsAre("7", "8", "9"));
  EXPECT_EQ(ReadIds("", 100), Numbers(10));
  EXPECT_THAT(ReadIds("", 0), IsEmpty());
}

TEST_F(BusRedisTail, ReadOfManyPagesMissesAndRepeatsNothing) {
  PublishNumbers(0, 5500);
  EXPECT_EQ(ReadIds("", 5500), Numbers(5500));
  EXPECT_EQ(ReadIds("", 10'000), Numbers(5500));
  EXPECT_EQ(ReadIds("0-0", 10'000), Numbers(5500));
}

TEST_F(BusRedisTail, ReadGoesOnBehindADelivery) {
  PublishNumbers(0, 10);
  std::vector<std::string> deliveries;
  ReadIds("", 10, &deliveries);
  EXPECT_THAT(ReadIds(deliveries[6], 2), ElementsAre("7", "8"));
  EXPECT_THAT(ReadIds(deliveries[9], 2), IsEmpty());
}

TEST_F(BusRedisTail, ReadStopsWhenTheReaderHasEnough) {
  PublishNumbers(0, 10);
  int seen = 0;
  bus_ptr()->Read("a", "", 10, [&](const summa_bus_delivery&) { return ++seen < 4; });
  EXPECT_EQ(seen, 4);
}

TEST_F(BusRedisTail, ReadOfAnUnknownStreamOrIdSaysSo) {
  EXPECT_EQ(ErrorOf([&] { ReadIds("", 1); }).status(), SUMMA_E_NOT_FOUND);
  PublishNumbers(0, 1);
  EXPECT_EQ(ErrorOf([&] { ReadIds("nonsense", 1); }).status(), SUMMA_E_USAGE);
}

TEST_F(BusRedisTail, TailEmitsOneObjectPerMessageWithThePayloadAsJson) {
  Batch batch;
  summa_bus_message& message = batch.Add("a", "7", R"({"amount": 10})");
  message.position = 12;
  message.correlation_id = batch.Keep("corr");
  batch.Add("a", "8", "no \"json\"\n\xFF");
  EXPECT_FALSE(batch.Publish(*bus_ptr()));
  std::vector<std::string> ids;
  ReadIds("", 2, &ids);

  FakeCall call({{"stream", "a"}, {"count", "10"}});
  const CommandResult result = Tail(call);
  EXPECT_THAT(
      call.emitted,
      ElementsAre("{\"deliveryId\":\"" + ids[0] +
                      "\",\"id\":\"7\",\"type\":\"type-of-a\",\"key\":\"key-of-7\",\"position\":12,"
                      "\"timestamp\":\"2026-01-31T12:00:00.123456Z\",\"correlationId\":\"corr\","
                      "\"payload\":{\"amount\": 10}}",
                  "{\"deliveryId\":\"" + ids[1] +
                      "\",\"id\":\"8\",\"type\":\"type-of-a\",\"key\":\"key-of-8\",\"position\":"
                      "null,\"timestamp\":\"2026-01-31T12:00:00.123456Z\",\"correlationId\":null,"
                      "\"payload\":\"no \\\"json\\\"\\n\xEF\xBF\xBD\"}"));
  EXPECT_EQ(result.json, R"({"stream":"a","messages":2,"lastDeliveryId":")" + ids[1] + "\"}");
  EXPECT_FALSE(result.finding);
}

TEST_F(BusRedisTail, TailBeginsWhereItIsTold) {
  PublishNumbers(0, 10);
  std::vector<std::string> ids;
  ReadIds("", 10, &ids);
  FakeCall call({{"stream", "a"}, {"count", "2"}, {"from", ids[4]}});
  Tail(call);
  ASSERT_EQ(call.emitted.size(), 2U);
  EXPECT_THAT(call.emitted[0], HasSubstr("\"id\":\"4\""));
  EXPECT_THAT(call.emitted[1], HasSubstr("\"id\":\"5\""));
}

TEST_F(BusRedisTail, FollowShowsNewMessagesUntilStoppedEvenOverADeletedStream) {
  PublishNumbers(0, 3);
  FakeCall call({{"stream", "a"}, {"count", "1"}, {"follow", "true"}});
  int waits = 0;
  call.on_wait = [&] {
    ++waits;
    if (waits == 1) PublishNumbers(3, 5);
    if (waits == 2) redis_->Command({"DEL", "summa:stream:a"});
    if (waits == 3) {
      // Entry ids are times: a new stream in the millisecond of the old one would begin anew at -0.
      const std::string old = ServerMilliseconds();
      test::BecomesTrue([&] { return ServerMilliseconds() != old; });
      PublishNumbers(5, 6);
    }
    return waits == 4;
  };
  const CommandResult result = Tail(call);
  ASSERT_EQ(call.emitted.size(), 4U);
  EXPECT_THAT(call.emitted[0], HasSubstr("\"id\":\"2\""));
  EXPECT_THAT(call.emitted[3], HasSubstr("\"id\":\"5\""));
  EXPECT_THAT(result.json, HasSubstr("\"messages\":4"));
}

TEST_F(BusRedisTail, AnUnknownStreamIsNotFoundAndTheAnswerListsThoseThereAre) {
  Batch batch;
  batch.Add("credited", "0");
  batch.Add("debited", "0");
  EXPECT_FALSE(batch.Publish(*bus_ptr()));
  redis_->Command({"SET", "other:stream:x", "1"});
  FakeCall call(FakeCall::Options{{"stream", "creditd"}});
  const Error error = ErrorOf([&] { Tail(call); });
  EXPECT_EQ(error.status(), SUMMA_E_NOT_FOUND);
  EXPECT_EQ(error.code(), "SH-0607");
  EXPECT_THAT(error.what(), HasSubstr("existing streams: credited, debited"));
  EXPECT_THAT(call.emitted, IsEmpty());
}

TEST_F(BusRedisTail, APrefixWithPatternCharactersMatchesOnlyItself) {
  RedisBusOptions options = Options();
  options.writer.key_prefix = "a*[b]";
  options.url.user.clear();  // the rights of the tests are for another prefix
  options.url.password.clear();
  bus_ = MakeBus(options);
  redis_->Command({"XADD", "aXb:stream:foreign", "*", "f", "v"});
  PublishNumbers(0, 1);
  EXPECT_THAT(bus_->MakeAdmin().Streams().names, ElementsAre("a"));
}

}  // namespace
}  // namespace summa::bus_redis
