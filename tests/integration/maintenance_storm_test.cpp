// A storm of appends while there is no range for now, and with clocks that are years off: writers
// never see an error, no row is lost or doubled, and the partition manager puts all of them into
// ranges, but for those of a far future.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/maintenance_manager_support.hpp"

namespace summa::maintenance {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWriters = 8;

// Each appends rows with a note of its own, and clocks that differ from row to row.
class Storm {
 public:
  Storm(const std::string& url, std::vector<std::string> clocks) : clocks_(std::move(clocks)) {
    for (int number = 0; number < kWriters; ++number) {
      threads_.emplace_back([this, url, number] { Write(url, number); });
    }
  }
  ~Storm() { Stop(); }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::vector<std::string> Notes() const {
    const std::lock_guard lock(mutex_);
    return notes_;
  }
  std::string Errors() const {
    const std::lock_guard lock(mutex_);
    return errors_;
  }
  // Returns when each writer has appended rows of each clock since the call.
  void Pass() const {
    const std::size_t wanted = Notes().size() + 2 * kWriters * clocks_.size();
    test::WaitUntil([&] { return Notes().size() >= wanted || !Errors().empty(); }, test::kTimeout,
                    "writers");
  }

 private:
  void Write(const std::string& url, int number) {
    try {
      Db db(url);
      for (std::size_t row = 0; !stop_; ++row) {
        const std::string note = std::to_string(number) + "-" + std::to_string(row);
        Append(db, clocks_[(row + static_cast<std::size_t>(number)) % clocks_.size()], note);
        const std::lock_guard lock(mutex_);
        notes_.push_back(note);
      }
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      errors_ += std::string(error.what()) + "\n";
    }
  }
  // No partition takes the row while an overflow partition with many rows becomes a range: it is
  // tried again.
  static void Append(Db& db, const std::string& clock, const std::string& note) {
    test::WaitUntil(
        [&] {
          try {
            // Takes its time, so that its lock is in the way of others.
            db.Execute("INSERT INTO reading (at, note) SELECT " + clock + ", '" + note +
                       "' FROM pg_sleep(0.005)");
            return true;
          } catch (const test::DbError& error) {
            if (error.sqlstate != "23514") throw;
            return false;
          }
        },
        test::kTimeout, "a partition for " + clock);
  }

  const std::vector<std::string> clocks_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> notes_;
  std::string errors_;
  std::vector<std::thread> threads_;
};

class StormTest : public PartitionsTest {
 protected:
  // The last range ended a month ago; what comes later, or before it, has only an overflow
  // partition.
  void UseOverflow() {
    UseReading({-2});
    db_->Execute("CREATE TABLE reading_overflow_high PARTITION OF reading FOR VALUES FROM ('" +
                 db_->Value("SELECT " + MonthStart(-1)) + "') TO (MAXVALUE)");
    db_->Execute(
        "CREATE TABLE reading_overflow_low PARTITION OF reading FOR VALUES FROM (MINVALUE) TO ('" +
        db_->Value("SELECT " + MonthStart(-2)) + "')");
  }
  std::string Alarms() {
    std::string text;
    for (const Alarm& alarm : MakePlan(environment(), settings_.tables[0], false).plan.alarms) {
      text += alarm.text + "\n";
    }
    return text;
  }
  // The manager runs while the storm goes on.
  void RunBeside(const Storm& storm) {
    for (int run = 0; run < 4; ++run) {
      storm.Pass();
      const std::string error = ErrorOfRun();
      if (!error.empty()) {
        EXPECT_THAT(error, HasSubstr("SH-0839"));
      }
    }
  }
  void ExpectEachRowOnce(Storm& storm) {
    storm.Stop();
    EXPECT_EQ(storm.Errors(), "");
    std::vector<std::string> written = storm.Notes();
    std::sort(written.begin(), written.end());
    std::vector<std::string> there = db_->Column("SELECT note FROM reading");
    std::sort(there.begin(), there.end());
    EXPECT_EQ(there, written);
  }
  // What came after the last run beside the storm is drained as well.
  void Calm() {
    const auto idle = [this] {
      try {
        return RunManager().items == 0;
      } catch (const Error&) {
        return false;
      }
    };
    test::WaitUntil(idle, test::kTimeout, "a run without work; " + Findings());
  }
  std::vector<std::string> NotesIn(const std::string& table) {
    return db_->Column("SELECT note FROM " + table);
  }
};

TEST_F(StormTest, RowsOfEveryClockFindTheirPlace) {
  UseOverflow();
  Storm storm(url_, {"clock_timestamp()", "clock_timestamp() - interval '3 years'",
                     "clock_timestamp() + interval '2 years'", "'1970-01-01T00:00:00Z'",
                     "clock_timestamp() + interval '300 years'"});
  storm.Pass();
  EXPECT_THAT(Alarms(), HasSubstr("reading_overflow_high has"));
  EXPECT_THAT(Alarms(), HasSubstr("reading_overflow_low has"));
  EXPECT_THAT(Alarms(), HasSubstr("should reach"));
  RunBeside(storm);
  ExpectEachRowOnce(storm);
  const std::vector<std::string> before = Readings();
  Calm();
  EXPECT_EQ(Readings(), before);
  EXPECT_THAT(NotesIn("reading_overflow_low"), IsEmpty());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reading_overflow_high WHERE at < now() + interval "
                       "'299 years'"),
            0)
      << "only the far future stays";
  EXPECT_THAT(Findings(), HasSubstr("reading_overflow_high has"));
  EXPECT_THAT(Findings(), testing::Not(HasSubstr("reading_overflow_low")));
  EXPECT_THAT(Findings(), testing::Not(HasSubstr("should reach")));
}

// It becomes a range itself; a row beyond it has to be appended again until it is one.
TEST_F(StormTest, ABigOverflowPartitionIsDrainedBesideWriters) {
  UseOverflow();
  settings_.drain_rows = 50;
  Storm storm(url_, {"clock_timestamp()", "clock_timestamp() + random() * interval '6 years'",
                     "clock_timestamp() - interval '40 days'"});
  while (db_->Count("SELECT count(*) FROM reading_overflow_high") <= settings_.drain_rows) {
    storm.Pass();
  }
  EXPECT_THAT(Alarms(), HasSubstr("reading_overflow_high has"));
  RunBeside(storm);
  ExpectEachRowOnce(storm);
  const std::vector<std::string> before = Readings();
  Calm();
  EXPECT_EQ(Readings(), before);
  EXPECT_THAT(NotesIn("reading_overflow_high"), IsEmpty());
  EXPECT_EQ(Findings(), "");
}

TEST_F(StormTest, ARowBeyondTheMissingRangesIsNamedWhenABigOverflowPartitionIsDrained) {
  UseOverflow();
  settings_.drain_rows = 5;
  AddReadings(-1, 10);
  db_->Execute("INSERT INTO reading (at, note) VALUES ('2400-05-06 07:08:09+00', 'far')");
  const std::vector<std::string> before = Readings();
  EXPECT_THAT(ErrorOfRun(),
              testing::AllOf(HasSubstr("SH-0833"),
                             HasSubstr("reading_overflow_high has more than 5 rows, and one of "
                                       "2400-05-06T07:08:09"),
                             HasSubstr("outside of the ranges that are missing, ")));
  EXPECT_EQ(Readings(), before);
}

}  // namespace
}  // namespace summa::maintenance
