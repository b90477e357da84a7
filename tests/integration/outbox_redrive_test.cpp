// Dead letters are dealt with while a processor runs: the verbs take no lease, see decision 0020.
#include <atomic>
#include <mutex>

#include "tests/integration/outbox_support.hpp"

namespace summa::outbox {
namespace {

constexpr int kOperations = 800;

class OutboxRedriveTest : public OutboxTest {
 protected:
  // Rows whose id ends so are refused until somebody dealt with them.
  static bool IsPoison(std::string_view id) { return id.ends_with('3') || id.ends_with('a'); }

  void RefusePoison() {
    bus_.decide = [this](const summa_bus_message& message) {
      const std::string id(FromAbi(message.id));
      const std::lock_guard lock(mutex_);
      return IsPoison(id) && !healed_.contains(id) ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
    };
  }
  // One look at the open letters: each third is let go, the others are repaired and sent again,
  // and so are some rows that were delivered long ago. The number of letters.
  std::size_t DealWithLetters(Session& session) {
    const DeadLetters letters(settings_.outbox, "tester");
    const auto open = letters.List(session, {});
    for (const DeadLetterItem& item : open) {
      const std::vector<std::string> ids = {item.outbox_id};
      if (++dealt_with_ % 3 == 0) {
        letters.Discard(session, ids, {"dlq discard", "outbox", "test"});
        discarded_.insert(item.outbox_id);
        continue;
      }
      {
        const std::lock_guard lock(mutex_);
        healed_.insert(item.outbox_id);
      }
      letters.Redrive(session, ids, settings_.outbox.sinks, {"dlq redrive", "outbox", "test"});
    }
    const auto sent = bus_.Stored();
    if (!sent.empty()) {
      const std::vector<std::string> again = {sent[sent.size() / 2].id};
      letters.Redrive(session, again, settings_.outbox.sinks, {"outbox redrive", "outbox", "test"});
    }
    return open.size();
  }
  // The processor never goes further than the time of its pauses.
  void RunAndLetTimePass() {
    RunOnce();
    fake_->Advance(milliseconds(200));
  }

  std::mutex mutex_;
  std::set<std::string> healed_, discarded_;
  int dealt_with_ = 0;
};

TEST_F(OutboxRedriveTest, LettersDealtWithBesideARunningProcessorLoseNothingAndKeepTheOrder) {
  settings_.outbox.batch_size = 20;
  settings_.outbox.max_retries = 2;
  settings_.retry_cap = milliseconds(100);
  RefusePoison();
  MakeProcessor();
  test::TrafficGenerator traffic(url_, {.connections = 4, .accounts = 5, .rate = 0});
  traffic.Start();
  std::atomic<bool> end{false};
  std::thread person([&] {
    Session session(sql_->unleased());
    while (!end) DealWithLetters(session);
  });
  while (traffic.Committed() < kOperations) RunAndLetTimePass();
  traffic.Stop();
  end = true;
  person.join();
  Session session(sql_->unleased());
  test::WaitUntil(
      [&] {
        for (int i = 0; i < 40; ++i) RunAndLetTimePass();  // past the next poll without a bound
        return DealWithLetters(session) == 0 &&
               db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'") <= 1;
      },
      test::kTimeout, "all letters dealt with");
  for (int i = 0; i < 40; ++i) RunAndLetTimePass();
  ExpectLedgerOrder();
  const auto sent = SentIds();
  const std::set<std::string> delivered(sent.begin(), sent.end());
  for (const std::string& id : db_->Column("SELECT id::text FROM outbox")) {
    EXPECT_NE(delivered.contains(id), discarded_.contains(id)) << id;
  }
  EXPECT_GT(discarded_.size(), 0U);
  EXPECT_GT(healed_.size(), discarded_.size());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_waiting"), 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_blocked_key"), 0);
}

// The row becomes a dead letter at the very moment in which it is sent again by its id.
TEST_F(OutboxRedriveTest, ARowThatBecomesADeadLetterMeanwhileIsSentAgainAndItsKeyGoesOn) {
  const std::string id = Insert("a");
  Db processor(url_);
  processor.Execute("BEGIN");
  processor.Query(
      "UPDATE outbox SET status = 'failed', last_error = 'refused', retry_count = 3 WHERE id = $1",
      {id});
  processor.Query(
      "INSERT INTO dead_letter_queue (outbox_id, topic, payload, error_message, retry_count) "
      "SELECT id, topic, payload, 'refused', 3 FROM outbox WHERE id = $1",
      {id});
  processor.Query(
      "INSERT INTO summa_host.outbox_blocked_key (stream, key, outbox_id, topic, error) VALUES "
      "('ledger-account-credited', 'a', $1, 'ledger-account-credited', 'refused')",
      {id});
  std::thread person([&] { EXPECT_EQ(Redrive({id}), 1); });
  test::WaitUntil(
      [&] {
        return db_->Count(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                   "wait_event_type = 'Lock'") > 0;
      },
      test::kTimeout, "the verb that waits for the row");
  processor.Execute("COMMIT");
  person.join();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_blocked_key"), 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM dead_letter_queue WHERE resolved_at IS NULL"), 0);
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{id});
  EXPECT_EQ(Field(id, "status"), "processed");
}

}  // namespace
}  // namespace summa::outbox
