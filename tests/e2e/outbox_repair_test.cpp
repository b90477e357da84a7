// What an operator does when something was lost, and when a bus is changed: verify, redrive, dlq.
#include <algorithm>

#include "tests/e2e/outbox_support.hpp"

namespace summa::test {
namespace {

class OutboxRepair : public Outbox {
 protected:
  RunResult Verb(std::vector<std::string> words, const std::string& configuration) {
    const TemporaryFile file("summa.yaml", configuration);
    words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
    return SummaHost(words);
  }
  // The ids of the items in an array of the result.
  static std::set<std::string> IdsIn(const std::string& json, const std::string& array) {
    std::set<std::string> ids;
    const std::size_t begin = json.find("\"" + array + "\":[");
    if (begin == std::string::npos) return ids;
    const std::size_t end = json.find(']', begin);
    for (std::size_t at = json.find("\"id\":\"", begin); at < end;
         at = json.find("\"id\":\"", at)) {
      at += 6;
      ids.insert(json.substr(at, json.find('"', at) - at));
    }
    return ids;
  }
  static std::set<std::string> Set(const std::vector<std::string>& values) {
    return {values.begin(), values.end()};
  }
};

TEST_F(OutboxRepair, TheRowsThatSummaLostAreNamedAndExactlyTheyAreRedriven) {
  if (!UseSummasOwn())
    GTEST_SKIP() << "skipped: ../shared is absent, so there is no database made by Summa";
  const std::string configuration = Configuration();
  const auto lost = Set(Db(url_).Column(
      "SELECT id FROM outbox WHERE status = 'processed' AND retry_count > 0 AND last_error IS NOT "
      "NULL"));
  ASSERT_EQ(lost.size(), 5u);
  EXPECT_EQ(Once(configuration).exit_code, 0);
  const std::size_t before = ReadStreams().size();

  const RunResult verify = Verb({"outbox", "verify"}, configuration);
  EXPECT_EQ(verify.exit_code, 1) << verify.err;
  EXPECT_EQ(IdsIn(verify.out, "lostBySumma"), lost) << verify.out;
  EXPECT_EQ(JsonMember(verify.out, "checked"), "1882");
  EXPECT_EQ(JsonMember(verify.out, "delivered"), "1882");
  EXPECT_TRUE(IdsIn(verify.out, "missing").empty());

  const RunResult dry = Verb({"outbox", "redrive", "--lost", "--dry-run"}, configuration);
  EXPECT_EQ(JsonMember(dry.out, "redriven"), "0") << dry.out << dry.err;
  EXPECT_EQ(IdsIn(dry.out, "items"), lost);
  EXPECT_TRUE(Pending().empty());

  const RunResult redrive = Verb({"outbox", "redrive", "--lost"}, configuration);
  EXPECT_EQ(redrive.exit_code, 0) << redrive.err;
  EXPECT_EQ(JsonMember(redrive.out, "redriven"), "5");
  EXPECT_EQ(Pending(), lost);
  EXPECT_EQ(Once(configuration).exit_code, 0);
  const auto received = ReadStreams();
  EXPECT_EQ(received.size(), before + 5);
  const auto sent = Ids(received);
  EXPECT_TRUE(std::includes(sent.begin(), sent.end(), lost.begin(), lost.end()));
  const RunResult again = Verb({"outbox", "verify"}, configuration);
  EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
  EXPECT_EQ(JsonMember(again.out, "checked"), "1887");
  EXPECT_EQ(Db(url_).Value("SELECT action || ' ' || filter || ' ' || items FROM "
                           "summa_host.dlq_audit"),
            "outbox redrive --lost 5");
}

TEST_F(OutboxRepair, WhatARedisWithoutPersistenceLostIsNamedAndRestored) {
  UseFixture();
  const std::string configuration = Configuration();
  EXPECT_EQ(Once(configuration).exit_code, 0);
  const auto delivered = Ids(ReadStreams());
  ASSERT_GT(delivered.size(), 300u);
  redis_.KillNine();
  redis_.Start();
  EXPECT_TRUE(ReadStreams().empty());
  {  // Some more come after the loss: the streams are there again.
    TrafficGenerator traffic(url_, {.connections = 2, .accounts = 10, .rate = 0});
    traffic.Start();
    WaitUntil([&] { return traffic.Committed() >= 30; }, kTimeout, "traffic");
    traffic.Stop();
  }
  EXPECT_EQ(Once(configuration).exit_code, 0);
  const RunResult verify = Verb({"outbox", "verify"}, configuration);
  EXPECT_EQ(verify.exit_code, 1) << verify.err;
  EXPECT_EQ(IdsIn(verify.out, "missing"), delivered);

  const RunResult redrive = Verb({"outbox", "redrive", "--missing"}, configuration);
  EXPECT_EQ(JsonMember(redrive.out, "redriven"), std::to_string(delivered.size()))
      << redrive.out << redrive.err;
  EXPECT_EQ(Pending(), delivered);
  EXPECT_EQ(Once(configuration).exit_code, 0);
  const auto rows = Set(Db(url_).Column("SELECT id FROM outbox"));
  const auto received = ReadStreams();
  EXPECT_EQ(Ids(received), rows);
  EXPECT_EQ(received.size(), rows.size()) << "exactly those that were missing";
  EXPECT_EQ(Verb({"outbox", "verify"}, configuration).exit_code, 0);
}

TEST_F(OutboxRepair, WhatWasTrimmedAwayIsNotMissing) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  const std::string configuration = Configuration();
  EXPECT_EQ(Once(configuration).exit_code, 0);
  RedisClient client(redis_.Url());
  for (const std::string& stream : client.Keys("summa:stream:*")) {
    client.Command({"XTRIM", stream, "MAXLEN", "1"});
  }
  const RunResult verify = Verb({"outbox", "verify"}, configuration);
  EXPECT_EQ(verify.exit_code, 0) << verify.out << verify.err;
  EXPECT_EQ(JsonMember(verify.out, "checked"), JsonMember(verify.out, "delivered"));
}

TEST_F(OutboxRepair, ARedisThatFsyncsAlwaysAndIsKilledUnderLoadLosesNothing) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  RedisServer safe({.append_only = true, .tcp = false, .max_memory = "", .extra_arguments = {}});
  const std::string configuration =
      "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
      "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n  bus-redis: { url: \"" +
      safe.Url() + "\" }\n  outbox: { use: { bus: bus-redis }, retry_cap: 200ms }\n";
  const TemporaryFile file("summa.yaml", configuration);
  TrafficGenerator traffic(url_, {.connections = 3, .accounts = 10, .rate = 200});
  traffic.Start();
  RunningHost host({"-c", file.Path()});
  const char* delivered = "SELECT count(*) FROM outbox WHERE status = 'processed'";
  for (int round = 0; round < 3; ++round) {
    const long long before = Db(url_).Count(delivered);
    WaitUntil([&] { return Db(url_).Count(delivered) > before + 50; }, seconds(60), "deliveries");
    safe.KillNine();
    safe.Start();
  }
  traffic.Stop();
  WaitUntil([&] { return Pending().empty(); }, seconds(60), "an empty outbox");
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM outbox WHERE retry_count > 0"), 0);
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
  const RunResult verify = Verb({"outbox", "verify"}, configuration);
  EXPECT_EQ(verify.exit_code, 0) << verify.out << verify.err;
}

TEST_F(OutboxRepair, DeadLettersAreListedShownRedrivenAndDiscarded) {
  UseFixture(ConstraintNames::kDrizzle, 20);
  EXPECT_EQ(Once(Configuration()).exit_code, 0);
  const auto insert = [&](const std::string& key, int size) {
    return Db(url_).Value(
        "INSERT INTO outbox (topic, payload) VALUES ('ledger-account-credited', "
        "jsonb_build_object('accountId', $1::text, 'filler', repeat('x', $2::int))) RETURNING id",
        {key, std::to_string(size)});
  };
  const std::string first = insert("a", 2000), behind = insert("a", 1), other = insert("b", 2000);
  const auto limited = [&](const std::string& limit) {
    std::string text = Configuration(", max_retries: 1");
    const std::string url = "url: \"" + redis_.Url() + "\"";
    return text.replace(text.find(url), url.size(), url + ", max_message_bytes: " + limit);
  };
  EXPECT_EQ(Once(limited("1KiB")).exit_code, 0);
  const std::string configuration = limited("1MiB");
  const RunResult list = Verb({"dlq", "list"}, configuration);
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_EQ(IdsIn(list.out, "items").size(), 2u) << list.out;
  EXPECT_NE(list.out.find("\"outboxId\":\"" + first +
                          "\",\"topic\":\"ledger-account-credited\","
                          "\"key\":\"a\""),
            std::string::npos)
      << list.out;
  EXPECT_EQ(IdsIn(Verb({"dlq", "list", "--key", "b"}, configuration).out, "items").size(), 1u);
  const RunResult show = Verb({"dlq", "show", first}, configuration);
  EXPECT_NE(show.out.find("xxxx"), std::string::npos) << show.out << show.err;
  EXPECT_EQ(Verb({"dlq", "show", "no-such"}, configuration).exit_code, 66);

  const RunResult dry = Verb({"dlq", "redrive", "--dry-run"}, configuration);
  EXPECT_EQ(JsonMember(dry.out, "redriven"), "0") << dry.err;
  const RunResult redrive = Verb({"dlq", "redrive", "--key", "a", "--rate", "100"}, configuration);
  EXPECT_EQ(JsonMember(redrive.out, "redriven"), "1") << redrive.out << redrive.err;
  const RunResult discard = Verb({"dlq", "discard", "--key", "b"}, configuration);
  EXPECT_EQ(JsonMember(discard.out, "discarded"), "1") << discard.out << discard.err;
  EXPECT_EQ(Once(configuration).exit_code, 0);
  std::vector<std::string> tail;
  for (const Received& message : ReadStreams()) {
    if (message.key == "a" || message.key == "b") tail.push_back(message.id);
  }
  EXPECT_EQ(tail, (std::vector<std::string>{first, behind}));
  EXPECT_TRUE(IdsIn(Verb({"dlq", "list"}, configuration).out, "items").empty());
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM summa_host.dlq_audit"), 2);
}

TEST_F(OutboxRepair, DeadLettersOfConsumersAreListedShownRedrivenAndDiscarded) {
  UseFixture(ConstraintNames::kDrizzle, 20);
  const std::string configuration = Configuration();
  EXPECT_EQ(Once(configuration).exit_code, 0);
  RedisClient client(redis_.Url());
  for (const std::string number : {"1", "2", "3"}) {
    client.Command({"XADD", "summa:dlq:lost", "*", "id", "message-" + number, "type", "lost",
                    "payload", "{\"filler\":\"xxxx\"}", "key", "key-" + number, "error",
                    "no such account", "deliveries", "3", "group", "mailer", "sourceId", "5-1"});
  }
  const auto bus = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--source", "bus"});
    return Verb(std::move(words), configuration);
  };
  const RunResult list = bus({"dlq", "list"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_EQ(IdsIn(list.out, "items").size(), 3U) << list.out;
  EXPECT_NE(list.out.find("\"outboxId\":\"message-1\",\"topic\":\"lost\",\"key\":\"key-1\","
                          "\"error\":\"no such account\",\"attempts\":3"),
            std::string::npos)
      << list.out;
  EXPECT_TRUE(IdsIn(Verb({"dlq", "list"}, configuration).out, "items").empty());
  EXPECT_EQ(JsonMember(list.out, "more"), "false");
  const RunResult part = bus({"dlq", "list", "--limit", "2"});
  EXPECT_EQ(IdsIn(part.out, "items").size(), 2U) << part.out;
  EXPECT_EQ(JsonMember(part.out, "more"), "true");
  EXPECT_EQ(JsonMember(bus({"dlq", "list", "--limit", "3"}).out, "more"), "false");
  client.Command({"SET", "summa:dlq:another-program", "no stream"});
  const RunResult unread = bus({"dlq", "list"});
  EXPECT_EQ(unread.exit_code, 1) << unread.err;
  EXPECT_EQ(IdsIn(unread.out, "items").size(), 3U) << "one key hides the others";
  EXPECT_NE(unread.out.find("summa:dlq:another-program"), std::string::npos) << unread.out;
  client.Command({"DEL", "summa:dlq:another-program"});
  EXPECT_TRUE(IdsIn(bus({"dlq", "list", "--topic", "other"}).out, "items").empty());
  EXPECT_NE(bus({"dlq", "show", "message-2"}).out.find("xxxx"), std::string::npos);
  EXPECT_EQ(bus({"dlq", "show", "no-such"}).exit_code, 66);

  EXPECT_EQ(JsonMember(bus({"dlq", "redrive", "--dry-run"}).out, "redriven"), "0");
  const RunResult redrive = bus({"dlq", "redrive", "--key", "key-1"});
  EXPECT_EQ(JsonMember(redrive.out, "redriven"), "1") << redrive.out << redrive.err;
  const auto stream = client.StreamMessages("summa:stream:lost");
  ASSERT_EQ(stream.size(), 1U);
  EXPECT_EQ(stream[0].fields.at("id"), "message-1");
  EXPECT_EQ(stream[0].fields.at("redriven"), "mailer");
  EXPECT_FALSE(stream[0].fields.contains("error"));
  const RunResult discard = bus({"dlq", "discard", "--key", "key-2"});
  EXPECT_EQ(JsonMember(discard.out, "discarded"), "1") << discard.out << discard.err;
  const auto left = client.StreamMessages("summa:dlq:lost");
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].fields.at("id"), "message-3");
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM summa_host.dlq_audit WHERE source = 'bus'"), 2);
}

TEST_F(OutboxRepair, AFullRedisIsBackpressureAndTheOrderHolds) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  EXPECT_EQ(Once(Configuration()).exit_code, 0);
  RedisClient client(redis_.Url());
  client.Command({"CONFIG", "SET", "maxmemory", "1"});
  const TemporaryFile file("summa.yaml", Configuration(", retry_cap: 200ms"));
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  TrafficGenerator traffic(url_, {.connections = 3, .accounts = 10, .rate = 0});
  traffic.Start();
  WaitUntil([&] { return traffic.Committed() >= 300; }, seconds(60), "traffic");
  traffic.Stop();
  WaitUntil(
      [&] {
        const std::string metrics = HttpGet(host.Port(), "/metrics").body;
        const std::size_t at = metrics.find("\nsumma_outbox_pending_messages{");
        return at != std::string::npos &&
               metrics.find("sink=\"bus-redis\"", at) != std::string::npos;
      },
      kTimeout, "the rows that wait shown by topic");
  EXPECT_FALSE(Pending().empty());
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM outbox WHERE retry_count > 0"), 0);
  client.Command({"CONFIG", "SET", "maxmemory", "0"});
  WaitUntil([&] { return Pending().empty(); }, seconds(60), "an empty outbox");
  const auto received = ReadStreams();
  const auto rows = Set(Db(url_).Column("SELECT id FROM outbox"));
  EXPECT_EQ(Ids(received), rows);
  ExpectOrder(received);
}

TEST_F(OutboxRepair, MovingToAnotherBusLosesNothing) {
  UseFixture(ConstraintNames::kDrizzle, 100);
  RedisServer second;
  const std::map<std::string, std::string> environment = {
      {"SUMMA_PLUGIN_PATH", std::string(SUMMA_SECOND_BUS_DIRECTORY)}};
  const auto configuration = [&](const std::string& use) {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" +
           "  bus-redis: { url: \"" + redis_.Url() + "\" }\n" + "  bus-redis-two: { url: \"" +
           second.Url() + "\" }\n" + "  outbox: { use: " + use + " }\n";
  };
  const auto run = [&](const std::string& use, std::vector<std::string> words) {
    const TemporaryFile file("summa.yaml", configuration(use));
    words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
    return SummaHost(words, environment);
  };
  const auto traffic = [&](const std::string& use, int operations) {
    const TemporaryFile file("summa.yaml", configuration(use));
    RunningHost host({"-c", file.Path()}, environment);
    TrafficGenerator generator(url_, {.connections = 3, .accounts = 25, .rate = 300});
    generator.Start();
    WaitUntil([&] { return generator.Committed() >= operations; }, seconds(60), "traffic");
    generator.Stop();
    host.process().Signal(SIGTERM);
    EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
  };
  traffic("{ bus: bus-redis }", 150);
  const auto before = Set(Db(url_).Column("SELECT id FROM outbox WHERE status = 'processed'"));
  traffic("{ bus: bus-redis, second_bus: bus-redis-two }", 150);
  EXPECT_EQ(run("{ bus: bus-redis, second_bus: bus-redis-two }", {"run", "--once"}).exit_code, 0);
  const RunResult verify =
      run("{ bus: bus-redis, second_bus: bus-redis-two }", {"outbox", "verify"});
  EXPECT_EQ(verify.exit_code, 0) << verify.out << verify.err;
  traffic("{ bus: bus-redis-two }", 150);
  EXPECT_EQ(run("{ bus: bus-redis-two }", {"run", "--once"}).exit_code, 0);

  EXPECT_TRUE(Pending().empty());
  const auto old_ids = Ids(ReadStreams());
  std::set<std::string> all = old_ids;
  std::set<std::string> fresh;
  RedisClient client(second.Url());
  for (const std::string& stream : client.Keys("summa:stream:*")) {
    for (const StreamMessage& message : client.StreamMessages(stream)) {
      fresh.insert(message.fields.at("id"));
    }
  }
  all.insert(fresh.begin(), fresh.end());
  const auto rows = Set(Db(url_).Column("SELECT id FROM outbox"));
  EXPECT_EQ(all, rows);
  for (const std::string& id : rows) {
    EXPECT_TRUE(before.contains(id) || fresh.contains(id)) << id;
  }
}

}  // namespace
}  // namespace summa::test
