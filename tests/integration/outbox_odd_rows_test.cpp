// Rows that no ledger writes and a hand or a repair may: each is delivered or named, and none of
// them keeps the others from being delivered.
#include "tests/integration/outbox_support.hpp"

namespace summa::outbox {
namespace {

class OutboxOddRows : public OutboxTest {
 protected:
  // One row with these two columns as they are written, between two that are as usual.
  void InsertBetween(const std::string& created_at, const std::string& retry_count) {
    Insert("before");
    db_->Execute("ALTER TABLE outbox ALTER retry_count DROP NOT NULL");
    odd_ = db_->Value(
        "INSERT INTO outbox (topic, payload, created_at, retry_count) VALUES "
        "('odd', '{\"accountId\": \"odd\"}', " +
        created_at + ", " + retry_count + ") RETURNING id");
    Insert("after");
  }
  std::string Timestamp() const {
    for (const auto& message : bus_.Stored()) {
      if (message.id == odd_) return message.timestamp;
    }
    return "it was not delivered";
  }
  std::string odd_;
};

TEST_F(OutboxOddRows, ATimeThatIsInfiniteOrBeforeChristKeepsNothingWaiting) {
  for (const auto& [created_at, timestamp] :
       std::map<std::string, std::string>{{"'infinity'", "9999-12-31T23:59:59.999999Z"},
                                          {"'-infinity'", "0001-01-01T00:00:00.000000Z"},
                                          {"'4000-01-01 BC'", "0001-01-01T00:00:00.000000Z"},
                                          {"'20000-01-01'", "9999-12-31T23:59:59.999999Z"}}) {
    InsertBetween(created_at, "0");
    Session session(sql_->unleased());
    const OutboxTable table(settings_.outbox);
    EXPECT_EQ(table.Count(session).pending, 3) << created_at;
    EXPECT_GE(table.Count(session).oldest_pending_age_seconds.value_or(-1), 0) << created_at;
    MakeProcessor();
    EXPECT_EQ(Drain(), 3) << created_at;
    EXPECT_EQ(Timestamp(), timestamp) << created_at;
    EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"), 0);
    Insert("later");
    EXPECT_EQ(Drain(), 1) << created_at << ": what comes later is not found";
  }
}

TEST_F(OutboxOddRows, ARefusedRowIsGivenUpWhateverItsCountOfAttempts) {
  settings_.outbox.max_retries = 2;
  settings_.retry_base = settings_.retry_cap = milliseconds(1);
  bus_.decide = [](const summa_bus_message& message) {
    return FromAbi(message.stream) == "odd" ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  for (const std::string retry_count : {"-2147483648", "NULL", "2147483647"}) {
    InsertBetween("now()", retry_count);
    MakeProcessor();
    EXPECT_TRUE(test::BecomesTrue([&] {
      fake_->Advance(seconds(1));
      RunOnce();
      return Field(odd_, "status") == "failed";
    })) << retry_count;
    EXPECT_EQ(Field(odd_, "retry_count"), retry_count == "2147483647" ? retry_count : "2");
    EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'"), 0);
    EXPECT_EQ(db_->Count("SELECT count(*) FROM dead_letter_queue"), 1);
    db_->Execute("DELETE FROM dead_letter_queue");
    db_->Execute("DELETE FROM summa_host.outbox_blocked_key");
  }
}

TEST_F(OutboxOddRows, ACountOfAttemptsThatTheLedgerHasWidenedKeepsNothingWaiting) {
  settings_.outbox.max_retries = 2;
  settings_.retry_base = settings_.retry_cap = milliseconds(1);
  db_->Execute("ALTER TABLE outbox ALTER retry_count TYPE bigint");
  for (const std::string retry_count : {"0", "9000000000", "-9000000000", "NULL"}) {
    bus_.decide = {};
    InsertBetween("now()", retry_count);
    MakeProcessor();
    EXPECT_EQ(Drain(), 3) << retry_count;
    bus_.decide = [](const summa_bus_message& message) {
      return FromAbi(message.stream) == "odd" ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
    };
    InsertBetween("now()", retry_count);
    EXPECT_TRUE(test::BecomesTrue([&] {
      fake_->Advance(seconds(1));
      RunOnce();
      return Field(odd_, "status") == "failed";
    })) << retry_count;
    EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'"), 0);
    db_->Execute("DELETE FROM dead_letter_queue");
    db_->Execute("DELETE FROM summa_host.outbox_blocked_key");
  }
}

TEST_F(OutboxOddRows, TryJsonbGivesNullForTextsThatAreNoJsonb) {
  const auto value = [&](const std::string& text) {
    return db_->Value("SELECT coalesce(summa_host.try_jsonb($1)::text, 'none')", {text});
  };
  EXPECT_EQ(value("{\"a\": 1}"), "{\"a\": 1}");
  EXPECT_EQ(value("{"), "none");
  EXPECT_EQ(value("\"\\u0000\""), "none");
  EXPECT_EQ(value(std::string(100000, '[')), "none");
  EXPECT_EQ(value("1e999999"), "none");
}

}  // namespace
}  // namespace summa::outbox
