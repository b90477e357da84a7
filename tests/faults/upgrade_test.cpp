// A database and a Redis that the release before has used are taken over by this one under load:
// nothing is lost, nothing happens twice, and every key stays in order. SUMMA_PREVIOUS_BUILD names
// a build of that release; `./dev upgrade COMMIT` makes one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"
#include "tests/services/db.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

constexpr long long kUnits = 10;  // handled messages that prove that a host works
constexpr int kKilled = 128 + SIGKILL;
constexpr int kConfiguration = 78;

// Too large for a bus with kSmallMessages, and what waits behind it: rows of a key of their own.
constexpr char kSmallMessages[] = ", max_message_bytes: 1KiB";
constexpr char kKey[] = "00000000-0000-4000-8000-000000000001";
constexpr char kRefused[] = "00000000-0000-4000-8000-00000000000a";
constexpr char kBehind[] = "00000000-0000-4000-8000-00000000000b";

FaultServers& Servers() {
  static FaultServers servers({}, {});
  return servers;
}

// The number of a member within an object of the result; -1: there is none.
long long NumberIn(const std::string& json, const std::string& object, const std::string& name) {
  const auto inner = JsonMember(json, object);
  const auto number = inner ? JsonMember(*inner, name) : std::nullopt;
  return number ? std::stoll(*number) : -1;
}

class Upgrade : public testing::Test {
 protected:
  void SetUp() override {
    const char* build = std::getenv("SUMMA_PREVIOUS_BUILD");
    if (build == nullptr) {
      GTEST_SKIP() << "skipped: SUMMA_PREVIOUS_BUILD is not set, so there is no release to upgrade "
                      "from; run ./dev upgrade COMMIT";
    }
    previous_ = build;
    for (const char* file : {"/bin/summa-host", "/lib/summa/plugins/outbox.so",
                             "/tests/faults/plugins/ledger-follower.so"}) {
      ASSERT_TRUE(std::filesystem::exists(previous_ + file)) << previous_ + file << " is missing";
    }
    scenario_ = OfThePreviousRelease();
    round_ = std::make_unique<Round>(Servers(), scenario_);
  }
  void TearDown() override { round_.reset(); }

  // The outbox, a consumer, and reconciliation, whose workers run all the time.
  Scenario OfThePreviousRelease() const {
    Scenario scenario = OutboxToConsumer();
    scenario.name = "upgrade";
    scenario.build = previous_;
    scenario.plugins_yaml = [this, consumer = scenario.plugins_yaml](const World& world) {
      std::string text = consumer(world);
      const std::string before = "command_timeout: 1s";
      text.insert(text.find(before) + before.size(), bus_settings_);
      return "{ reconciliation: { block_size: 20, snapshot_after_events: 1 }," + text.substr(1);
    };
    const std::string often = ": { lease_ttl: 500ms, interval: 2s }, ";
    scenario.schedules_yaml = "{ daily-reconciliation" + often + "block-checkpoint" + often +
                              "hash-snapshot-creator" + often + "rolling-verification" + often +
                              scenario.schedules_yaml.substr(1);
    scenario.check = [consumer = scenario.check](const World& world) {
      std::vector<std::string> lines = consumer(world);
      const long long found = Db(world.ledger_url)
                                  .Count(
                                      "SELECT count(*) FROM reconciliation_result WHERE status = "
                                      "'mismatches_found'");
      if (found > 0) lines.push_back(std::to_string(found) + " reconciliations found mismatches");
      return lines;
    };
    return scenario;
  }

  // The result of a verb that ends well.
  std::string Verb(std::vector<std::string> words) {
    const std::string verb = testing::PrintToString(words);
    const RunResult result = round_->RunVerb(std::move(words));
    EXPECT_EQ(result.exit_code, 0) << verb << ": " << result.out << result.err;
    return result.out;
  }
  // The steps of docs/operate.md: install, check the configuration, migrate. Hosts come afterwards.
  void InstallThisRelease() {
    round_->UseBuild(BinaryDir());
    Verb({"config", "check"});
    std::cout << "migrate: " << Verb({"migrate"});
  }
  FaultHost& AddRunningHost() {
    FaultHost& host = round_->AddHost();
    host.WaitUntilItRuns();
    return host;
  }
  static void Stop(FaultHost& host) {
    const auto lines = Round::StopHost(host);
    EXPECT_TRUE(lines.empty()) << Report(lines);
  }
  void ExpectNothingLost() {
    const auto lines = round_->Finish();
    EXPECT_TRUE(lines.empty()) << Report(lines) << round_->host().Log();
    Db db(round_->world().ledger_url);
    std::cout << db.Count("SELECT count(*) FROM outbox") << " rows, "
              << db.Count("SELECT count(*) FROM follower.effect")
              << " effects; commits under the lease of the outbox:";
    for (const Row& row : db.Query("SELECT written_by, count(DISTINCT transaction) FROM "
                                   "fixture.guarded_write GROUP BY 1 ORDER BY 1")) {
      std::cout << " " << row[0] << " " << row[1];
    }
    std::cout << "\n";
  }

  std::vector<StreamMessage> Stream(const std::string& kind) {
    return RedisClient(round_->world().redis_url)
        .StreamMessages(round_->world().key_prefix + ":" + kind + ":ledger");
  }

  // A dead letter of the outbox and some of the consumer, left by a host that is killed at work.
  void LeaveDeadLetters() {
    bus_settings_ = kSmallMessages;
    FaultHost& host = round_->StartHost();
    Db db(round_->world().ledger_url);
    for (const auto& [id, size] : {std::pair{kRefused, "2000"}, std::pair{kBehind, "1"}}) {
      db.Change(
          "INSERT INTO outbox (id, topic, payload) VALUES ($1, 'ledger-account-credited', "
          "jsonb_build_object('accountId', $2::text, 'filler', repeat('x', $3::int)))",
          {id, kKey, size});
    }
    WaitUntil(
        [&] {
          return db.Count("SELECT count(*) FROM dead_letter_queue WHERE outbox_id = $1",
                          {kRefused}) == 1 &&
                 !Stream("dlq").empty();
        },
        kTimeout, "dead letters; " + host.Log());
    host.process().Signal(SIGKILL);
    ASSERT_EQ(host.process().Wait(kTimeout), kKilled) << host.Log();
  }
  // Rows that were published and not marked; messages with an effect that were not acknowledged.
  void LeaveWorkHalfDone() {
    FaultHost& publisher = round_->StartHost({{"SUMMA_CRASH_AT", "outbox.confirmed:20"}},
                                             {"--only", "outbox-processor"});
    FaultHost& consumer = round_->AddHost({{"SUMMA_CRASH_AT", "follower.committed:1"}},
                                          {"--only", "ledger-follower"});
    for (FaultHost* host : {&publisher, &consumer}) {
      ASSERT_EQ(host->process().Wait(kTimeout), kKilled) << host->Log();
    }
    Db db(round_->world().ledger_url);
    std::set<std::string> published;
    for (const StreamMessage& message : Stream("stream")) published.insert(message.fields.at("id"));
    long long unmarked = 0;
    for (const std::string& id : db.Column("SELECT id FROM outbox WHERE status = 'pending'")) {
      if (published.contains(id)) ++unmarked;
    }
    EXPECT_GT(unmarked, 0);
    EXPECT_GT(db.Count("SELECT count(*) FROM summa_host.inbox"), 0);
    const RedisReply pending =
        RedisClient(round_->world().redis_url)
            .Command({"XPENDING", round_->world().key_prefix + ":stream:ledger", "follower"});
    ASSERT_FALSE(pending.items.empty());
    EXPECT_GT(pending.items[0].integer, 0);
    std::cout << "left: " << unmarked << " rows published and not marked, "
              << pending.items[0].integer << " messages not acknowledged, " << Stream("dlq").size()
              << " dead letters of the consumer\n";
  }

  std::string previous_, bus_settings_;
  Scenario scenario_;
  std::unique_ptr<Round> round_;
};

TEST_F(Upgrade, AFleetIsReplacedHostByHostUnderLoad) {
  round_->StartTraffic();
  FaultHost& first = AddRunningHost();
  FaultHost& second = AddRunningHost();
  round_->WaitForProgress(kUnits);
  InstallThisRelease();
  round_->WaitForProgress(kUnits);
  EXPECT_TRUE(first.process().Running()) << first.Log();
  EXPECT_TRUE(second.process().Running()) << second.Log();
  Stop(first);
  round_->WaitForProgress(kUnits);  // by the other one, on tables of this release
  FaultHost& third = AddRunningHost();
  round_->WaitForProgress(kUnits);
  Stop(second);
  round_->WaitForProgress(kUnits);
  AddRunningHost();
  Stop(third);
  round_->WaitForProgress(kUnits);
  ExpectNothingLost();
}

// A supervisor may restart what has not been replaced yet.
TEST_F(Upgrade, AHostOfTheReleaseBeforeThatStartsAfterTheMigrationWorksOrSaysThatItCannot) {
  round_->StartTraffic();
  InstallThisRelease();
  round_->StartHost();
  round_->WaitForProgress(kUnits);
  Stop(round_->host());
  round_->UseBuild(previous_);
  FaultHost& host = round_->StartHost();
  host.WaitUntilItRuns();
  if (host.process().Running()) {
    round_->WaitForProgress(kUnits);
    Stop(host);
  } else {
    EXPECT_EQ(host.process().Wait(kTimeout), kConfiguration) << host.Log();
    EXPECT_THAT(host.Log(), HasSubstr("SH-0436"));
  }
  round_->UseBuild(BinaryDir());
  ExpectNothingLost();
}

TEST_F(Upgrade, WhatKilledHostsLeftIsFinishedAndTheirDeadLettersAreSentAgain) {
  round_->StartTraffic();
  ASSERT_NO_FATAL_FAILURE(LeaveDeadLetters());
  ASSERT_NO_FATAL_FAILURE(LeaveWorkHalfDone());
  const std::size_t letters = Stream("dlq").size();

  bus_settings_.clear();  // the cause is gone
  InstallThisRelease();
  EXPECT_THAT(Verb({"dlq", "list"}), HasSubstr(kRefused));
  const std::string listed = Verb({"dlq", "list", "--source", "bus"});
  for (const StreamMessage& letter : Stream("dlq")) {
    EXPECT_THAT(listed, HasSubstr(letter.fields.at("id")));
  }
  EXPECT_EQ(JsonMember(Verb({"dlq", "redrive"}), "redriven"), "1");
  EXPECT_EQ(JsonMember(Verb({"dlq", "redrive", "--source", "bus"}), "redriven"),
            std::to_string(letters));
  EXPECT_TRUE(Stream("dlq").empty());
  round_->StartHost();
  ExpectNothingLost();
  EXPECT_THAT(
      Db(round_->world().ledger_url)
          .Column("SELECT message_id FROM follower.effect WHERE key = $1 ORDER BY number", {kKey}),
      ::testing::ElementsAre(kRefused, kBehind));
}

TEST_F(Upgrade, SnapshotsBlocksAndARunThatWasCutOffAreUsed) {
  round_->StartTraffic();
  Db db(round_->world().ledger_url);
  EXPECT_NE(JsonMember(Verb({"verify", "create-snapshots"}), "created"), "0");
  Verb({"run", "--once", "--only", "block-checkpoint"});
  const long long blocks = db.Count("SELECT count(*) FROM block_checkpoint");
  EXPECT_GT(blocks, 0);
  const RunResult cut_off =
      round_->RunVerb({"reconcile"}, {{"SUMMA_CRASH_AT", "reconciliation.saved:1"}});
  EXPECT_EQ(cut_off.exit_code, kKilled) << cut_off.out << cut_off.err;

  InstallThisRelease();
  const char* grown =
      "SELECT s.aggregate_type, s.aggregate_id FROM summa_host.hash_snapshot s WHERE EXISTS "
      "(SELECT FROM ledger_event e WHERE e.aggregate_type = s.aggregate_type AND e.aggregate_id = "
      "s.aggregate_id AND e.aggregate_version > s.snapshot_version) LIMIT 1";
  WaitUntil([&] { return !db.Query(grown).empty(); }, kTimeout, "events after a snapshot");
  round_->appender().Stop();
  Verb({"run", "--once", "--only", "block-checkpoint"});
  EXPECT_GT(db.Count("SELECT count(*) FROM block_checkpoint"), blocks);

  const Row aggregate = db.Query(grown).at(0);
  const std::string one =
      Verb({"verify", "aggregate", "--type", aggregate[0], "--id", aggregate[1]});
  EXPECT_EQ(JsonMember(one, "valid"), "true") << one;
  EXPECT_EQ(JsonMember(one, "mode"), "snapshot") << one;
  const std::string all = Verb({"verify", "all"});
  EXPECT_EQ(JsonMember(all, "status"), "valid") << all;
  EXPECT_GT(NumberIn(all, "snapshots", "used"), 0) << all;
  EXPECT_GT(NumberIn(all, "blocks", "blocksVerified"), blocks) << all;
  EXPECT_EQ(JsonMember(Verb({"reconcile"}), "status"), "healthy");
  EXPECT_EQ(db.Count("SELECT count(*) FROM summa_host.reconciliation_run"), 1)
      << "the run that was cut off goes on";
}

TEST_F(Upgrade, AKeyThatHasMovedIsNamedWithItsNewPlace) {
  bus_settings_ = ", inbox_retention: 24h";
  if (round_->RunVerb({"config", "check"}).exit_code != 0) {
    GTEST_SKIP() << "skipped: bus-redis of the release before has no inbox_retention";
  }
  round_->UseBuild(BinaryDir());
  const RunResult check = round_->RunVerb({"config", "check"});
  EXPECT_EQ(check.exit_code, kConfiguration) << check.err;
  EXPECT_THAT(check.out, HasSubstr("host.inbox_retention"));
}

}  // namespace
}  // namespace summa::test
