// Who keeps the rows: Summa's own processor while we observe, the hand-over to us, and several
// sinks.
#include <atomic>

#include "tests/integration/outbox_support.hpp"
#include "worker.hpp"

namespace summa::outbox {
namespace {

// Summa's processor as far as the tables show it: takes open rows and marks them.
class SummasProcessor {
 public:
  explicit SummasProcessor(const std::string& url) : db_(url) {}
  ~SummasProcessor() { Stop(); }
  void RunOnce() {
    db_.Execute(
        "UPDATE outbox SET status = 'processed', processed_at = now() WHERE id IN (SELECT id FROM "
        "outbox WHERE processed_at IS NULL AND retry_count < 3 ORDER BY created_at LIMIT 100 FOR "
        "UPDATE SKIP LOCKED)");
  }
  void Start() {
    thread_ = std::thread([this] {
      while (!stop_) RunOnce();
    });
  }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  Db db_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class OutboxModesTest : public OutboxTest {
 protected:
  void Observe(bool observe) {
    settings_.outbox.observe = observe;
    MakeProcessor();
  }
  void ExpectEachRowOnce() {
    const auto rows = db_->Column("SELECT id FROM outbox");
    const auto sent = SentIds();
    EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()),
              std::set<std::string>(rows.begin(), rows.end()));
    EXPECT_EQ(sent.size(), rows.size()) << "sent twice";
    ExpectLedgerOrder();
  }
};

TEST_F(OutboxModesTest, ObservingSendsWhatWasOpenAndWhatComesWhoeverMarksItAndTouchesNoRow) {
  const std::string history = Insert("a");
  SummasProcessor summa(url_);
  summa.RunOnce();
  const std::string open = Insert("a");
  Observe(true);
  const std::string before =
      db_->Value("SELECT string_agg(o::text, ',' ORDER BY id) FROM outbox o");
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{open}) << "history is not replayed";
  EXPECT_EQ(db_->Value("SELECT string_agg(o::text, ',' ORDER BY id) FROM outbox o"), before);

  const std::string unseen = Insert("a");
  summa.RunOnce();  // marked before we ever saw it
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{open, unseen}));
  for (int i = 0; i < 3; ++i) {
    fake_->Advance(seconds(6));
    Insert("b");
    Drain();
  }
  EXPECT_EQ(SentIds().size(), 5u) << "nothing twice";

  // A host that comes later goes on where the first one was.
  const std::string while_away = Insert("a");
  summa.RunOnce();
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds().back(), while_away);
  EXPECT_EQ(SentIds().size(), 6u);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_state WHERE own_since IS NOT NULL"),
            0);
}

TEST_F(OutboxModesTest, AFailingRowHoldsItsKeyWhileObservingAndSummasRowIsNotTouched) {
  settings_.outbox.max_retries = 2;
  Observe(true);
  Drain();
  const std::string bad = Insert("a"), behind = Insert("a"), other = Insert("b");
  bool refuse = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  for (int i = 0; i < 3; ++i) {
    Drain();
    fake_->Advance(seconds(61));
  }
  EXPECT_EQ(SentIds(), std::vector<std::string>{other});
  EXPECT_EQ(Field(bad, "status || retry_count || coalesce(last_error, '-')"), "pending0-");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM dead_letter_queue"), 0);
  Session session(sql_->unleased());
  const auto items = DeadLetters(settings_.outbox, "t").List(session, {});
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].outbox_id, bad);
  EXPECT_EQ(items[0].error, "told to fail");
  SummasProcessor(url_).RunOnce();
  refuse = false;
  Redrive({bad});
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{other, bad, behind}));
  EXPECT_EQ(Field(bad, "status"), "processed") << "Summa's mark stays";
}

TEST_F(OutboxModesTest, WithContinueAnObservedKeyGoesOnWithoutWhatFailed) {
  settings_.outbox.max_retries = 1;
  settings_.outbox.block_key_on_dead_letter = false;
  Observe(true);
  Drain();
  const std::string bad = Insert("a"), behind = Insert("a");
  bool refuse = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  Drain();
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{behind});
  Session session(sql_->unleased());
  ASSERT_EQ(DeadLetters(settings_.outbox, "t").List(session, {}).size(), 1u);
  refuse = false;
  Redrive({bad});
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{behind, bad}));
  EXPECT_EQ(bus_.Stored().back().redriven, SUMMA_BUS_EVERYBODY);
}

TEST_F(OutboxModesTest, FromObserveToOwnUnderLoadNothingIsMissingTwiceOrOutOfOrder) {
  settings_.outbox.batch_size = 50;
  test::EnsureAccounts(url_, 20);
  Observe(true);
  Drain();
  const auto history = SentIds().size();
  EXPECT_GT(history, 0u) << "the opening credits were open";
  SummasProcessor summa(url_);
  test::TrafficGenerator traffic(url_, {.connections = 3, .accounts = 20, .rate = 300});
  summa.Start();
  traffic.Start();
  const auto until = [&](long long operations) {
    test::WaitUntil(
        [&] {
          RunOnce();
          fake_->Advance(milliseconds(20));
          return traffic.Committed() >= operations;
        },
        test::kTimeout, "operations");
  };
  until(300);
  // The plan's cut-over: this host owns from now on, Summa's processor ends a little later.
  Observe(false);
  until(600);
  summa.Stop();
  until(900);
  fake_->Advance(seconds(60));
  until(1000);
  fake_->Advance(seconds(60));
  until(1100);
  traffic.Stop();
  fake_->Advance(seconds(60));
  Drain();
  fake_->Advance(seconds(60));
  Drain();
  ExpectEachRowOnce();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"), 0);
  EXPECT_EQ(
      db_->Count("SELECT count(*) FROM summa_host.outbox_sink WHERE observed_until IS NOT NULL"), 0)
      << "the hand-over is done";
  EXPECT_EQ(fake_->CountCode("SH-0505"), 0u);
}

TEST_F(OutboxModesTest, AnObservedRowThatSummaNeverMarkedIsMarkedAtTheCutOverAndNotSentAgain) {
  Observe(true);
  const std::string id = Insert("a");
  Drain();
  EXPECT_EQ(SentIds().size(), 1u);
  Observe(false);
  Drain();
  EXPECT_EQ(SentIds().size(), 1u);
  EXPECT_EQ(Field(id, "status"), "processed");
}

TEST_F(OutboxModesTest, WhatIsRememberedOfSentRowsIsBounded) {
  Observe(true);
  Drain();
  for (int i = 0; i < 5; ++i) Insert("a");
  Drain();
  const std::string open = Insert("b");
  Drain();
  db_->Change("UPDATE outbox SET status = 'processed', processed_at = now() WHERE id <> $1",
              {open});
  db_->Execute("UPDATE summa_host.outbox_sent SET sent_at = now() - interval '3 days'");
  Cleanup cleanup(fake_->host(), std::chrono::hours(48));
  testkit::FakeTick tick(sql_->unleased());
  cleanup.Run(Tick(tick.abi()));
  EXPECT_EQ(db_->Column("SELECT outbox_id FROM summa_host.outbox_sent"),
            std::vector<std::string>{open})
      << "an open row may still be found by a poll";
}

class OutboxSinksTest : public OutboxModesTest {
 protected:
  // A worker over the buses of these names, as the plugin makes it.
  void UseSinks(const std::vector<std::string>& names) {
    settings_.outbox.sinks = names;
    worker_ = std::make_unique<DeliveryWorker>();
    for (const std::string& name : names) {
      Named& sink = sinks_[name];
      if (!sink.table) sink.table.emplace(&sink.bus);
      ProcessorSettings settings = settings_;
      settings.outbox.sink = name;
      worker_->Add(
          std::make_unique<Processor>(fake_->host(), settings, BusClient(sink.table->table())));
    }
    tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased(), SUMMA_TICK_NEW_LEASE);
  }
  bool Tick() {
    const bool backlog = worker_->Run(summa::Tick(tick_->abi())).backlog;
    tick_->SetFlags(0);
    return backlog;
  }
  void DrainSinks() {
    for (int rounds = 0; rounds < 10'000; ++rounds) {
      if (!Tick()) return;
    }
    ADD_FAILURE() << "the worker never came to an end";
  }
  testkit::MemoryBus& Sink(const std::string& name) { return sinks_[name].bus; }
  std::vector<std::string> SentTo(const std::string& name) {
    std::vector<std::string> ids;
    for (const auto& message : Sink(name).Stored()) ids.push_back(message.id);
    return ids;
  }
  void ExpectOrderIn(const std::string& name) {
    std::map<std::pair<std::string, std::string>, std::int64_t> last;
    for (const auto& message : Sink(name).Stored()) {
      auto& position = last.try_emplace({message.stream, message.key}, INT64_MIN).first->second;
      EXPECT_GE(message.position, position) << name << " " << message.stream << " " << message.key;
      position = message.position;
    }
  }

 private:
  struct Named {
    testkit::MemoryBus bus;
    std::optional<summa::detail::BusTable> table;
  };
  std::map<std::string, Named> sinks_;
  std::unique_ptr<DeliveryWorker> worker_;
};

TEST_F(OutboxSinksTest, ARowIsMarkedWhenEverySinkHasItAndASinkThatIsAwayHoldsNoOtherBack) {
  UseSinks({"old", "new"});
  Sink("new").away = true;
  const std::string first = Insert("a"), second = Insert("a");
  DrainSinks();
  EXPECT_EQ(SentTo("old"), (std::vector<std::string>{first, second}));
  EXPECT_EQ(Field(first, "status"), "pending");
  const std::string third = Insert("a");
  fake_->Advance(seconds(61));
  DrainSinks();
  EXPECT_EQ(SentTo("old"), (std::vector<std::string>{first, second, third})) << "nothing twice";
  Sink("new").away = false;
  fake_->Advance(seconds(61));
  DrainSinks();
  EXPECT_EQ(SentTo("new"), (std::vector<std::string>{first, second, third}));
  EXPECT_EQ(SentTo("old").size(), 3u);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"), 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_sent"), 0);
}

TEST_F(OutboxSinksTest, ADeadLetterOfOneSinkIsRedrivenToThatSinkOnly) {
  settings_.outbox.max_retries = 1;
  UseSinks({"old", "new"});
  const std::string bad = Insert("a"), behind = Insert("a"), other = Insert("b");
  bool refuse = true;
  Sink("new").decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  DrainSinks();
  EXPECT_EQ(SentTo("new"), std::vector<std::string>{other});
  EXPECT_EQ(Field(bad, "status"), "failed");
  refuse = false;
  Redrive({bad});
  fake_->Advance(seconds(61));
  DrainSinks();
  EXPECT_EQ(SentTo("new"), (std::vector<std::string>{other, bad, behind}));
  EXPECT_EQ(SentTo("old").size(), 3u) << "it had it already";
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"), 0);
}

TEST_F(OutboxSinksTest, MovingFromOneSinkToAnotherUnderLoadLosesNothingAndKeepsTheOrder) {
  settings_.outbox.batch_size = 50;
  test::TrafficGenerator traffic(url_, {.connections = 3, .accounts = 20, .rate = 300});
  traffic.Start();
  const auto until = [&](long long operations) {
    test::WaitUntil(
        [&] {
          Tick();
          fake_->Advance(milliseconds(20));
          return traffic.Committed() >= operations;
        },
        test::kTimeout, "operations");
  };
  UseSinks({"old"});
  until(200);
  UseSinks({"old", "new"});
  until(400);
  const auto both = SentTo("old");
  Sink("old").away = true;  // a move is made because something is wrong with the old one
  until(500);
  UseSinks({"new"});
  until(700);
  traffic.Stop();
  fake_->Advance(seconds(61));
  DrainSinks();
  ExpectOrderIn("old");
  ExpectOrderIn("new");
  const auto rows = db_->Column("SELECT id FROM outbox");
  std::set<std::string> seen;
  for (const char* name : {"old", "new"}) {
    const auto sent = SentTo(name);
    EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()).size(), sent.size())
        << name << " got something twice";
    seen.insert(sent.begin(), sent.end());
  }
  EXPECT_EQ(seen, std::set<std::string>(rows.begin(), rows.end()));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"), 0);
  // From the time on that both were asked for, the new one has everything.
  const auto fresh = SentTo("new");
  const std::set<std::string> in_new(fresh.begin(), fresh.end());
  std::size_t only_old = 0;
  for (const std::string& id : both) only_old += in_new.contains(id) ? 0 : 1;
  EXPECT_LT(only_old, both.size());
  for (std::size_t i = only_old; i < both.size(); ++i) EXPECT_TRUE(in_new.contains(both[i]));
}

}  // namespace
}  // namespace summa::outbox
