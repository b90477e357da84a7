#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <summa/bus.hpp>
#include <summa/error.hpp>
#include <summa/reachability.hpp>

#include "plugins/bus-redis/cluster_map.hpp"
#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/redis_url.hpp"
#include "plugins/bus-redis/reply.hpp"
#include "plugins/bus-redis/rights.hpp"
#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(RedisUrl, ReadsHostPortAndDatabase) {
  const RedisUrl url = ParseRedisUrl("redis://cache.example:6380/3");
  EXPECT_EQ(url.host, "cache.example");
  EXPECT_EQ(url.port, 6380);
  EXPECT_EQ(url.database, 3);
  EXPECT_EQ(url.password, "");
}

TEST(RedisUrl, FillsInTheDefaultPortAndDatabase) {
  const RedisUrl url = ParseRedisUrl("redis://localhost");
  EXPECT_EQ(url.port, 6379);
  EXPECT_EQ(url.database, 0);
  EXPECT_EQ(ParseRedisUrl("redis://localhost/").database, 0);
}

TEST(RedisUrl, ReadsAnIpv6Address) {
  const RedisUrl url = ParseRedisUrl("redis://[::1]:7000/1");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 7000);
  EXPECT_EQ(url.ForPeople(), "redis://[::1]:7000/1");
}

TEST(RedisUrl, ReadsUserAndPasswordAndDecodesThem) {
  const RedisUrl url = ParseRedisUrl("redis://summa:p%40ss%3aword@localhost");
  EXPECT_EQ(url.user, "summa");
  EXPECT_EQ(url.password, "p@ss:word");
  EXPECT_EQ(ParseRedisUrl("redis://:secret@localhost").password, "secret");
  EXPECT_EQ(ParseRedisUrl("redis://:secret@localhost").user, "");
}

TEST(RedisUrl, ReadsAUnixSocket) {
  const RedisUrl url = ParseRedisUrl("unix:///run/redis/redis.sock?db=2");
  EXPECT_EQ(url.socket_path, "/run/redis/redis.sock");
  EXPECT_EQ(url.database, 2);
  const RedisUrl login = ParseRedisUrl("unix://:secret@/run/redis.sock");
  EXPECT_EQ(login.socket_path, "/run/redis.sock");
  EXPECT_EQ(login.password, "secret");
  EXPECT_EQ(ParseRedisUrl("unix:///run/a@b.sock").socket_path, "/run/a@b.sock");
}

TEST(RedisUrl, NeverShowsThePassword) {
  EXPECT_THAT(ParseRedisUrl("redis://summa:secret@localhost").ForPeople(),
              Not(HasSubstr("secret")));
  EXPECT_THAT(ParseRedisUrl("unix://:secret@/x.sock").ForPeople(), Not(HasSubstr("secret")));
}

TEST(RedisUrl, RefusesWhatItDoesNotKnowAsConfigurationErrorWithoutThePassword) {
  for (const std::string text : {"rediss://:secret@localhost:0",
                                 "http://:secret@localhost",
                                 "redis://",
                                 "redis://:secret@",
                                 "redis://:secret@host:0",
                                 "redis://:secret@host:70000",
                                 "redis://:secret@host/x",
                                 "redis://:secret@[::1",
                                 "redis://:secret%4@host",
                                 "redis://:secret%zz@host",
                                 "redis://secret@host",
                                 "redis://:secret@a,",
                                 "redis://:secret@a,,b",
                                 "redis://:secret@a,b/1",
                                 "redis://:secret@a:1,b:x",
                                 "redis+sentinel://:secret@a",
                                 "redis+sentinel://:secret@a/",
                                 "redis+sentinel://:secret@a/m/x",
                                 "redis+other://:secret@a",
                                 "unix+sentinel://:secret@/x",
                                 "unix://:secret@relative.sock",
                                 "unix:///x.sock?database=1",
                                 ""}) {
    try {
      ParseRedisUrl(text);
      ADD_FAILURE() << text << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), SUMMA_E_CONFIG) << text;
      EXPECT_EQ(error.code(), "SH-0606") << text;
      EXPECT_THAT(error.what() + error.hint(), Not(HasSubstr("secret"))) << text;
      EXPECT_FALSE(error.hint().empty()) << text;
    }
  }
}

TEST(RedisUrl, ReadsAnAddressWithTls) {
  const RedisUrl url = ParseRedisUrl("rediss://summa:secret@redis.example/2");
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "redis.example");
  EXPECT_EQ(url.database, 2);
  EXPECT_EQ(url.ForPeople(), "rediss://redis.example:6379/2");
  EXPECT_FALSE(ParseRedisUrl("redis://redis.example").tls);
}

TEST(RedisUrl, SeveralHostsAreACluster) {
  const RedisUrl url = ParseRedisUrl("redis://summa:secret@a,b:7001,[::1]:7002");
  EXPECT_EQ(url.kind, ServerKind::kCluster);
  EXPECT_THAT(url.hosts,
              ElementsAre(Endpoint{"a", 6379}, Endpoint{"b", 7001}, Endpoint{"::1", 7002}));
  EXPECT_EQ(url.user, "summa");
  EXPECT_EQ(url.ForPeople(), "redis+cluster://a:6379,b:7001,[::1]:7002");
  EXPECT_EQ(url.At({"c", 1}).ForPeople(), "redis://c:1/0");
  const RedisUrl one = ParseRedisUrl("rediss+cluster://config.example:7000/0");
  EXPECT_EQ(one.kind, ServerKind::kCluster);
  EXPECT_TRUE(one.tls);
  EXPECT_THAT(one.hosts, ElementsAre(Endpoint{"config.example", 7000}));
}

TEST(RedisUrl, SentinelsHaveAMasterName) {
  const RedisUrl url = ParseRedisUrl("redis+sentinel://:secret@a,b:26380/mymaster/2");
  EXPECT_EQ(url.kind, ServerKind::kSentinel);
  EXPECT_THAT(url.hosts, ElementsAre(Endpoint{"a", 26379}, Endpoint{"b", 26380}));
  EXPECT_EQ(url.master_name, "mymaster");
  EXPECT_EQ(url.database, 2);
  EXPECT_EQ(url.password, "secret");
  EXPECT_EQ(url.ForPeople(), "redis+sentinel://a:26379,b:26380/mymaster/2");
}

TEST(HashSlot, IsThatOfTheSpecification) {
  EXPECT_EQ(HashSlot("123456789"), 12739);  // 31C3, its reference value
  EXPECT_EQ(HashSlot("{user1000}.following"), HashSlot("{user1000}.followers"));
  EXPECT_EQ(HashSlot("foo{{bar}}zap"), HashSlot("{bar"));
  EXPECT_EQ(HashSlot("foo{bar}{zap}"), HashSlot("bar"));
  EXPECT_NE(HashSlot("foo{}{bar}"), HashSlot("bar"));
}

TEST(KeyNaming, OnlyNamesThatKeepAStreamAndItsDeadLettersTogetherFitACluster) {
  EXPECT_FALSE(KeyNaming("summa").FitsCluster());
  EXPECT_TRUE(KeyNaming("summa", true).FitsCluster());
  EXPECT_TRUE(KeyNaming("{summa}").FitsCluster());
  EXPECT_TRUE(KeyNaming("{summa}", true).FitsCluster());
  EXPECT_FALSE(KeyNaming("summa{}", true).FitsCluster());
  EXPECT_FALSE(KeyNaming("summa{", true).FitsCluster());
  EXPECT_EQ(KeyNaming("summa").Stream("a"), "summa:stream:a");
  EXPECT_EQ(KeyNaming("summa", true).DeadLetter("a"), "summa:dlq:{a}");
}

TEST(Redirection, SaysWhereAKeyIs) {
  const Redirection moved = ReadRedirection("MOVED 3999 127.0.0.1:6381", "x");
  EXPECT_EQ(moved.kind, Redirection::Kind::kMoved);
  EXPECT_EQ(moved.slot, 3999);
  EXPECT_EQ(moved.to, (Endpoint{"127.0.0.1", 6381}));
  EXPECT_EQ(ReadRedirection("ASK 1 ::1:6381", "x").to, (Endpoint{"::1", 6381}));
  EXPECT_EQ(ReadRedirection("MOVED 1 :6381", "asked").to, (Endpoint{"asked", 6381}));
  for (const char* text : {"MOVED", "MOVED x", "MOVED 1 host", "ERR MOVED 1 a:1", "ASKING 1 a:1"}) {
    EXPECT_EQ(ReadRedirection(text, "x").kind, Redirection::Kind::kNone) << text;
  }
}

TEST(ServerError, ErrorsOfTheServerAreToldFromErrorsOfOneKey) {
  for (const char* text :
       {"LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read",
        "MASTERDOWN Link with MASTER is down", "NOAUTH Authentication required.",
        "MISCONF Redis is configured to save", "NOREPLICAS Not enough good replicas to write.",
        "BUSY Redis is busy running a script", "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "NOMASTERLINK Can't SYNC while not connected", "NOGOODSLAVE No suitable replica",
        "ERR max number of clients reached",
        "ERR max number of clients + cluster connections reached",
        "EXECABORT Transaction discarded because of: MISCONF Redis is configured to save"}) {
    EXPECT_EQ(ClassifyServerError(text), ServerErrorKind::kServer) << text;
    EXPECT_NE(ServerErrorHint(text), "see the server's log") << text;
  }
  for (const char* text : {"WRONGTYPE Operation against a key", "OOM command not allowed",
                           "MOVED 3999 127.0.0.1:6381", "NOPERM no permissions", "ERR anything"}) {
    EXPECT_EQ(ClassifyServerError(text), ServerErrorKind::kStream) << text;
  }
}

TEST(ServerError, OnlyALoginThatIsWrongIsTheLoginsFault) {
  for (const char* text :
       {"NOAUTH Authentication required.", "WRONGPASS invalid username", "ERR invalid password",
        "ERR Client sent AUTH, but no password is set"}) {
    EXPECT_FALSE(IsOutage(text)) << text;
  }
  EXPECT_TRUE(IsOutage("ERR max number of clients reached"));
  EXPECT_TRUE(IsOutage("ERR max number of clients + cluster connections reached"));
  EXPECT_TRUE(IsOutage("LOADING Redis is loading the dataset in memory"));
}

TEST(ServerError, AnExecThatIsRefusedHasTheWordOfItsReason) {
  EXPECT_EQ(ServerErrorWord("EXECABORT Transaction discarded because of: NOPERM no"), "NOPERM");
  EXPECT_EQ(ServerErrorWord("EXECABORT Transaction discarded because of previous errors."),
            "EXECABORT");
}

TEST(Rights, TheReadmeGivesExactlyThoseOfTheTable) {
  std::ifstream file(std::string(std::getenv("SUMMA_SOURCE_DIR")) + "/plugins/bus-redis/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  EXPECT_NE(readme.str().find("on >PASSWORD " + AclRules("summa") + "\n"), std::string::npos)
      << "the README needs: " << AclRules("summa");
}

TEST(Rights, ACommandIsCalledAsAclSetuserTakesIt) {
  const auto right = [](std::vector<std::string_view> command) { return RightOf(command); };
  EXPECT_EQ(right({"XADD", "key"}), "+xadd");
  EXPECT_EQ(right({"XGROUP", "CREATE", "key"}), "+xgroup|create");
  EXPECT_EQ(right({"CONFIG", "GET", "save"}), "+config|get");
  EXPECT_EQ(right({"CLIENT"}), "+client");
}

TEST(StreamName, OnlyTheContractsCharactersAndLengthsAreTaken) {
  EXPECT_TRUE(IsStreamName("ledger.account-credited_2"));
  EXPECT_TRUE(IsStreamName(std::string(200, 'a')));
  EXPECT_FALSE(IsStreamName(std::string(201, 'a')));
  EXPECT_FALSE(IsStreamName(""));
  EXPECT_FALSE(IsStreamName("a b"));
  EXPECT_FALSE(IsStreamName("a:b"));
  EXPECT_FALSE(IsStreamName(std::string_view("a\0b", 3)));
}

summa_bus_message MakeMessage() {
  summa_bus_message message{};
  message.stream = ToAbi("topic");
  message.id = ToAbi("1");
  message.type = ToAbi("t");
  message.key = ToAbi("k");
  message.payload = ToAbi("{}");
  message.timestamp = ToAbi("2026-01-01T00:00:00.000000Z");
  message.position = SUMMA_BUS_NO_POSITION;
  return message;
}

TEST(AddCommand, LeavesOutPositionAndCorrelationWhenUnknown) {
  AddCommand command;
  const auto arguments = command.Build("summa:stream:topic", MakeMessage());
  EXPECT_THAT(std::vector<std::string_view>(arguments.begin(), arguments.end()),
              ElementsAre("XADD", "summa:stream:topic", "*", "id", "1", "type", "t", "payload",
                          "{}", "timestamp", "2026-01-01T00:00:00.000000Z", "key", "k"));
}

TEST(AddCommand, WritesPositionAndCorrelationWhenKnown) {
  AddCommand command;
  summa_bus_message message = MakeMessage();
  message.position = 0;
  message.correlation_id = ToAbi("c");
  const auto arguments = command.Build("k", message);
  EXPECT_THAT(std::vector<std::string_view>(arguments.end() - 4, arguments.end()),
              ElementsAre("position", "0", "correlationId", "c"));
}

TEST(EntryId, TheNextIdIsTheSmallestOneBehind) {
  EXPECT_EQ(NextEntryId("5-0"), "5-1");
  EXPECT_EQ(NextEntryId("5"), "5-1");
  EXPECT_EQ(NextEntryId("5-18446744073709551615"), "6-0");
  EXPECT_EQ(NextEntryId("18446744073709551615-18446744073709551615"), "");
  EXPECT_EQ(NextEntryId("x"), "");
  EXPECT_EQ(NextEntryId(""), "");
}

TEST(EntryTime, IsTheTimeInTheId) {
  EXPECT_EQ(EntryTime("1700000000123-5"), FromMicroseconds<BusTime>(1'700'000'000'123'000));
  EXPECT_EQ(EntryTime("7"), FromMicroseconds<BusTime>(7'000)) << "an id without a sequence";
  EXPECT_GT(*EntryTime("18446744073709551615-0"), BusTime()) << "does not overflow";
  EXPECT_EQ(EntryTime("x"), std::nullopt);
  EXPECT_EQ(EntryTime(""), std::nullopt);
}

TEST(FirstEntryId, LeavesOutNothingThatEnteredThenOrLater) {
  const BusTime time = FromMicroseconds<BusTime>(1'700'000'000'123'999);
  EXPECT_EQ(FirstEntryId(time), "1700000000123-0");
  EXPECT_LE(EntryTime(FirstEntryId(time)), time);
  EXPECT_EQ(FirstEntryId(BusTime::min()), "0-0");
}

TEST(BusTime, TheAbiHasANumberForNone) {
  EXPECT_EQ(ToBusTime(SUMMA_BUS_NO_TIME), std::nullopt);
  EXPECT_EQ(FromBusTime(std::nullopt), SUMMA_BUS_NO_TIME);
  EXPECT_EQ(FromBusTime(ToBusTime(5)), 5);
}

TEST(Reachability, SaysSinceWhenAndWhyAndIsNewsOnlyOnce) {
  using std::chrono::seconds;
  Reachability reachability({"bus-redis", "Redis", "SH-0601", "start Redis"});
  EXPECT_FALSE(reachability.Up("publish", "redis://r:1/0")) << "it was never down";
  EXPECT_TRUE(reachability.Down("publish", "redis://r:1/0", "refused", BootTime(seconds(10))));
  EXPECT_FALSE(reachability.Down("publish", "redis://r:1/0", "timed out", BootTime(seconds(15))));
  const auto failing = reachability.Failing(BootTime(seconds(20)));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].severity, Severity::kError);
  EXPECT_EQ(failing[0].subject, "Redis at redis://r:1/0 (publish)");
  EXPECT_EQ(failing[0].found, "SH-0601 has been unreachable for 10 s: timed out");
  EXPECT_TRUE(reachability.Up("publish", "redis://r:1/0"));
  EXPECT_TRUE(reachability.Failing(BootTime(seconds(20))).empty());
}

TEST(Reachability, AConnectionNobodyUsesAnyMoreIsNotCalledDown) {
  using std::chrono::minutes;
  Reachability reachability({"bus-redis", "Redis", "SH-0601", "start Redis"});
  reachability.Down("read", "redis://r:1/0", "refused", BootTime(minutes(1)));
  EXPECT_EQ(reachability.Failing(BootTime(minutes(3))).size(), 1u);
  EXPECT_TRUE(reachability.Failing(BootTime(minutes(4))).empty());
}

// --- replies ---

std::string Rendered(const redisReply& reply) {
  std::string text = std::to_string(reply.type) + ":" + std::to_string(reply.integer) + ":" +
                     std::string(Text(reply)) + "[";
  for (std::size_t i = 0; i < reply.elements; ++i) text += Rendered(*reply.element[i]);
  return text + "]";
}

using Reader = std::unique_ptr<redisReader, void (*)(redisReader*)>;

Reader NewReader() { return {redisReaderCreate(), &redisReaderFree}; }

// A byte at a time: every part of a reply comes in pieces.
void* ReadBytes(redisReader& reader, std::string_view bytes) {
  void* reply = nullptr;
  for (const char byte : bytes) {
    EXPECT_EQ(reply, nullptr);
    EXPECT_EQ(redisReaderFeed(&reader, &byte, 1), REDIS_OK);
    EXPECT_EQ(redisReaderGetReply(&reader, &reply), REDIS_OK) << reader.errstr;
  }
  return reply;
}

constexpr std::string_view kEverything =
    "*7\r\n+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n$0\r\n\r\n*0\r\n"
    "*2\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$2\r\nid\r\n$4\r\na|b\n\r\n*-1\r\n";

TEST(ReplyArena, MakesTheRepliesThatHiredisMakes) {
  const std::string bytes(kEverything.data(), kEverything.size());
  const Reader plain = NewReader();
  void* expected = ReadBytes(*plain, bytes);
  ASSERT_NE(expected, nullptr);
  const Reader reader = NewReader();
  ReplyArena arena;
  arena.MakeRepliesOf(*reader);
  const void* made = ReadBytes(*reader, bytes);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(Rendered(*static_cast<const redisReply*>(made)),
            Rendered(*static_cast<redisReply*>(expected)));
  freeReplyObject(expected);
}

TEST(ReplyArena, ReplyOutlivesItsReader) {
  const std::string large(100'000, 'x');
  Reply reply;
  {
    Reader reader = NewReader();
    auto arena = std::make_unique<ReplyArena>();
    arena->MakeRepliesOf(*reader);
    const std::string bytes = "*1\r\n$100000\r\n" + large + "\r\n";
    reply = Reply(static_cast<redisReply*>(ReadBytes(*reader, bytes)), {std::move(arena)});
  }
  ASSERT_EQ(reply->elements, 1U);
  EXPECT_EQ(Text(*reply->element[0]), large);
}

TEST(ReplyArena, HalfAReplyGoesWithItsReader) {
  ReplyArena arena;
  Reader reader = NewReader();
  arena.MakeRepliesOf(*reader);
  EXPECT_EQ(ReadBytes(*reader, "*3\r\n$3\r\nabc\r\n*2\r\n:1\r\n"), nullptr);
}

}  // namespace
}  // namespace summa::bus_redis
