// Random commit orders against an oracle: nothing that commits is passed over, by either way of
// reading.
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "summa/ledger/reader.hpp"
#include "tests/ledger/tamper_support.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::ledger {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

constexpr int kWriters = 6;
constexpr int kTransactionsPerWriter = 60;

class Reading : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    static int number = 0;
    name_ = "reading_" + std::to_string(++number);
    MakeLedger(GetParam(), name_);
    database_ = std::make_unique<LedgerDatabase>(name_);
    session_.emplace(database_->sql());
    table_ = FindEvents(*session_);
  }

  // An event of a new version of an aggregate of the writer's own.
  std::string InsertText(const std::string& aggregate, int version) const {
    return ForLayout(
        GetParam(),
        "INSERT INTO ledger_event (aggregate_type, aggregate_id, :version, event_type, "
        "event_data, correlation_id, :hash) VALUES ('account', '" +
            aggregate + "', " + std::to_string(version) +
            ", 'X', '{}', gen_random_uuid(), repeat('0', 64))");
  }

  // Transactions of 1 to 3 events that stay open for a moment; some roll back, wholly or to a
  // savepoint, some are prepared and committed by another connection.
  void Write(int writer) {
    test::Db db(Server().Url(name_));
    std::mt19937 random(static_cast<unsigned>(writer));
    const std::string aggregate = db.Value("SELECT gen_random_uuid()");
    int version = 0;
    for (int i = 0; i < kTransactionsPerWriter; ++i) {
      const unsigned fate = random() % 10;
      db.Execute("BEGIN");
      int next = version;
      for (unsigned events = 1 + random() % 3; events > 0; --events) {
        db.Execute(InsertText(aggregate, ++next));
      }
      if (fate == 1) {
        db.Execute("SAVEPOINT s; " + InsertText(aggregate, next + 1) + "; ROLLBACK TO s");
      }
      db.Query("SELECT pg_sleep($1::float8)", {std::to_string(random() % 8 / 1000.0)});
      if (fate == 0) {
        db.Execute("ROLLBACK");
        continue;
      }
      version = next;
      if (fate == 2) {
        const std::string gid = "'" + name_ + std::to_string(writer) + "'";
        db.Execute("PREPARE TRANSACTION " + gid);
        db.Query("SELECT pg_sleep(0.01)");
        test::Db(Server().Url(name_)).Execute("COMMIT PREPARED " + gid);
      } else {
        db.Execute("COMMIT");
      }
    }
  }

  // Runs `read` again and again while the writers write, and some more.
  void WhileWriting(const std::function<void()>& read) {
    std::atomic<int> writing{kWriters};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        Write(writer);
        --writing;
      });
    }
    while (writing > 0) read();
    for (std::thread& writer : writers) writer.join();
  }

  std::vector<std::string> Committed() {
    return database_->db.Column("SELECT id FROM ledger_event ORDER BY 1");
  }

  std::string name_;
  std::unique_ptr<LedgerDatabase> database_;
  std::optional<Session> session_;
  EventTable table_;
};

// What a reader delivered; every event once, aggregates in the order of their versions.
class Delivered {
 public:
  void Take(const StoredEvent& event) {
    EXPECT_TRUE(ids_.insert(ToText(event.id)).second) << "delivered twice: " << ToText(event.id);
    std::int64_t& last = versions_[event.aggregate_id];
    EXPECT_EQ(event.version, last + 1);
    last = event.version;
  }
  std::vector<std::string> Ids() const { return {ids_.begin(), ids_.end()}; }

 private:
  std::set<std::string> ids_;
  std::map<Uuid, std::int64_t> versions_;
};

TEST_P(Reading, TheHoleListDeliversEveryCommittedEventOnceWhateverTheOrder) {
  Delivered delivered;
  EventReader reader(table_, {}, {50, 1000});
  Checkpoint stored;
  int polls = 0;
  std::size_t max_holes = 0;
  const auto poll = [&] {
    // Now and then a new process goes on from what was stored.
    if (++polls % 40 == 0) {
      reader =
          EventReader(table_, Checkpoint::Parse(stored.position, stored.HolesText()), {50, 1000});
    }
    reader.Poll(*session_, [&](const StoredEvent& event) { delivered.Take(event); });
    stored = reader.checkpoint();
    max_holes = std::max(max_holes, stored.holes.size());
  };
  WhileWriting(poll);
  test::WaitUntil(
      [&] {
        poll();
        return delivered.Ids().size() == Committed().size() && stored.holes.empty();
      },
      test::kTimeout, "the last events");
  EXPECT_EQ(delivered.Ids(), Committed());
  EXPECT_GT(max_holes, 0U) << "no commit was out of order: the test has shown nothing";
}

TEST_P(Reading, NothingAppearsBelowAHorizonAnyMore) {
  std::map<std::int64_t, long long> counted;  // horizon -> events up to it
  WhileWriting([&] {
    const auto horizon = WaitForHorizon(*session_, table_, test::kTimeout, [](microseconds time) {
      std::this_thread::sleep_for(time);
      return false;
    });
    ASSERT_TRUE(horizon);
    counted[*horizon] = database_->db.Count(
        "SELECT count(*) FROM ledger_event WHERE " + table_.position + " <= $1::bigint",
        {std::to_string(*horizon)});
  });
  EXPECT_GT(counted.size(), 3U);
  for (const auto& [horizon, count] : counted) {
    EXPECT_EQ(database_->db.Count(
                  "SELECT count(*) FROM ledger_event WHERE " + table_.position + " <= $1::bigint",
                  {std::to_string(horizon)}),
              count)
        << "up to " << horizon;
  }
}

TEST_P(Reading, AnOpenWriterIsNamedAndStopsNobodyElse) {
  test::Db writer(Server().Url(name_)), other(Server().Url(name_));
  writer.Execute("BEGIN");
  writer.Execute(InsertText("00000000-0000-4000-8000-000000000001", 1));
  other.Execute(InsertText("00000000-0000-4000-8000-000000000002", 1));

  std::vector<OpenWriter> waiting_for;
  EXPECT_FALSE(WaitForHorizon(
      *session_, table_, microseconds(0), [](microseconds) { return true; }, &waiting_for));
  ASSERT_EQ(waiting_for.size(), 1U);
  EXPECT_EQ(waiting_for[0].pid, writer.BackendPid());

  EventReader reader(table_, {});
  int seen = 0;
  const auto count = [&](const StoredEvent&) { ++seen; };
  reader.Poll(*session_, count);
  EXPECT_EQ(seen, 1);
  for (int i = 0; i < 3; ++i) reader.Poll(*session_, count);
  EXPECT_EQ(reader.checkpoint().HolesText(), "1-1");
  ASSERT_TRUE(reader.oldest_writer());
  EXPECT_EQ(reader.oldest_writer()->pid, writer.BackendPid());
  writer.Execute("COMMIT");
  reader.Poll(*session_, count);
  EXPECT_EQ(seen, 2);
  reader.Poll(*session_, count);
  EXPECT_EQ(reader.checkpoint().HolesText(), "");
}

TEST_P(Reading, ASequenceThatCachesNumbersIsRefused) {
  database_->db.Execute("ALTER SEQUENCE ledger_event_" + table_.position + "_seq CACHE 10");
  EventReader reader(table_, {});
  try {
    reader.Poll(*session_, [](const StoredEvent&) {});
    FAIL() << "CACHE 10 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0802");
    EXPECT_NE(std::string(error.what()).find("CACHE 10"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Reading, testing::Values(Layout::kDeployed, Layout::kPlan),
                         [](const auto& param) {
                           return param.param == Layout::kPlan ? "plan" : "deployed";
                         });

TEST(Checkpoint, HolesAreWrittenAndRead) {
  const Checkpoint read = Checkpoint::Parse(30, "17-17,20-24");
  EXPECT_EQ(read.holes, (std::vector<Checkpoint::Hole>{{17, 17}, {20, 24}}));
  EXPECT_EQ(read.HolesText(), "17-17,20-24");
  EXPECT_TRUE(Checkpoint::Parse(30, "").holes.empty());
  for (const char* text :
       {"17", "17-", "-17", "18-17", "17-17,", "17-20,20-21", "17-31", "a-b", "1-2 "}) {
    EXPECT_THROW(Checkpoint::Parse(30, text), Error) << text;
  }
}

TEST(Checkpoint, KnowsWhatItHas) {
  const Checkpoint at = Checkpoint::Parse(30, "17-17,20-24");
  for (const int number : {1, 16, 18, 19, 25, 30}) EXPECT_TRUE(at.Has(number)) << number;
  for (const int number : {17, 20, 22, 24, 31}) EXPECT_FALSE(at.Has(number)) << number;
  const auto has_all_of = [&](std::int64_t position, std::string_view holes) {
    return at.HasAllOf(Checkpoint::Parse(position, holes));
  };
  EXPECT_TRUE(has_all_of(30, "17-17,20-24"));
  EXPECT_TRUE(has_all_of(30, "16-26"));
  EXPECT_TRUE(has_all_of(22, "17-22"));
  EXPECT_TRUE(has_all_of(16, "3-4"));
  EXPECT_FALSE(has_all_of(31, "17-17,20-24")) << "31";
  EXPECT_FALSE(has_all_of(17, "")) << "17";
  EXPECT_FALSE(has_all_of(30, "17-17,20-23")) << "24";
  EXPECT_FALSE(has_all_of(30, "17-17,20-21,23-24")) << "22";
  EXPECT_FALSE(has_all_of(20, "17-17")) << "20";
}

}  // namespace
}  // namespace summa::ledger
