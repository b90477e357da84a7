// The journal of operations against a real PostgreSQL: whatever happens to a step, each row is
// worked on once, and people are obeyed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <summa/operation.hpp>
#include <summa/testkit/fake_host.hpp>
#include <thread>

#include "host/abi/operation_service.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "host/database/operations.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa {
namespace {

using namespace std::chrono_literals;
using test::Db;

test::PostgresServer& Server() {
  static test::PostgresServer server;
  return server;
}

// Stands still unless somebody waits.
class TestClock final : public host::Clock {
 public:
  BootTime BootNow() const override { return FromMicroseconds<BootTime>(now_); }
  UnixTime UnixNow() const override { return FromMicroseconds<UnixTime>(now_); }
  void Advance(host::Microseconds time) { now_ += time.count(); }

 private:
  std::atomic<std::int64_t> now_{3'600'000'000};
};

// summa.sql/1 whose COMMIT number `at` gives no answer.
struct LostCommit {
  static inline const summa_sql_v1* real = nullptr;
  static inline std::atomic<int> at{0}, count{0};
  static inline std::atomic<bool> committed{false};

  static std::int32_t Commit(summa_sql_session* session, summa_error* error) {
    if (++count != at) return real->commit(session, error);
    const std::int32_t status =
        committed ? real->commit(session, error) : real->rollback(session, error);
    if (status != SUMMA_OK) return status;
    return detail::Fill(error, SUMMA_E_UNAVAILABLE, "SH-0404",
                        "the outcome of a COMMIT is unknown");
  }
};

class OperationTest : public testing::Test {
 protected:
  void SetUp() override {
    static int number = 0;
    url_ = test::InstallLedger(Server(), "operation_" + std::to_string(++number));
    settings_.url = url_;
    settings_.application_name = "operation-test";
    host::ControlPlane(settings_).Migrate();
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings_)}});
    db_ = std::make_unique<Db>(url_);
    // Nothing but the journal keeps a row from being copied twice.
    db_->Execute(
        "CREATE TABLE source (id bigint PRIMARY KEY); CREATE TABLE target (id bigint NOT NULL); "
        "INSERT INTO source SELECT generate_series(1, 2500)");
    people_ = std::make_unique<host::Operations>(settings_);
    fake_.SetOperations(service_.table());
  }

  const summa_sql_v1* sql() const { return sql_->unleased(); }
  std::int64_t Start(OperationRequest request = {}) {
    request.kind = "copy";
    return StartOperation(fake_.host(), sql(), request);
  }
  // Copies a batch; `in_step` is called within the transaction.
  OperationBinding Copy(std::function<void(OperationStep&)> in_step = {}) {
    return {"copy",
            [this, in_step](OperationStep& step) -> std::optional<OperationProgress> {
              ++steps_;
              Session& session = step.Transaction();
              const KeyBatch batch = NextKeys(session, "source", "id", CursorOf(step),
                                              std::min(step.rows_wanted(), batch_));
              if (batch.rows == 0) return OperationProgress{.finished = true};
              std::vector<Parameter> parameters;
              batch.AddTo(parameters);
              session.Exec("INSERT INTO target SELECT id FROM source WHERE " + batch.Where("id"),
                           parameters);
              if (in_step) in_step(step);
              return OperationProgress{
                  .phase = "copying", .cursor = batch.through, .rows = batch.rows};
            },
            [this](OperationStep& step) {
              ++undone_;
              step.Transaction().Exec("DELETE FROM target");
            }};
  }
  WorkCaller Caller() {
    return {[this] { return clock_.BootNow(); }, [this] { return stop_.load(); },
            [this](std::chrono::microseconds time) {
              clock_.Advance(time);
              if (on_wait_) on_wait_();
              return stop_.load();
            }};
  }
  OperationRunResult Run(const OperationBinding& binding, std::int64_t id = 0,
                         const summa_sql_v1* sql = nullptr) {
    return RunOperation(fake_.host(), sql != nullptr ? sql : this->sql(), Caller(), binding, id);
  }
  OperationView View(std::int64_t id) { return ReadOperation(fake_.host(), sql(), id); }
  void TryAgainNow() { db_->Execute("UPDATE summa_host.operation SET retry_at = NULL"); }
  void ExpectEachRowOnce() {
    EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 2500);
    EXPECT_EQ(db_->Count("SELECT count(DISTINCT id) FROM target"), 2500);
  }

  TestClock clock_;
  host::OperationService service_{"copier",
                                  {{"copy", "", "copier", 1, 3}, {"bare", "", "copier", 1, 0}},
                                  "a/1",
                                  "anna",
                                  clock_};
  testkit::FakeHost fake_;
  host::DatabaseSettings settings_;
  std::string url_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<host::Operations> people_;
  std::unique_ptr<Db> db_;
  std::atomic<bool> stop_{false};
  std::function<void()> on_wait_;
  std::atomic<int> steps_{0}, undone_{0};
  std::int64_t batch_ = 1000;
};

TEST_F(OperationTest, CopiesEachRowOnceAndTellsHowFarItIs) {
  const std::int64_t id = Start({.arguments = R"({"a":1})", .total = 2500});
  EXPECT_EQ(View(id).state, OperationState::kQueued);
  const OperationRunResult result = Run(Copy());
  EXPECT_EQ(result.rows, 2500);
  EXPECT_EQ(result.last.id, id);
  EXPECT_EQ(result.last.state, OperationState::kDone);
  EXPECT_EQ(result.last.total, 2500);
  ExpectEachRowOnce();
  const host::OperationReport report = people_->Find(id);
  EXPECT_EQ(report.state, "done");
  EXPECT_FALSE(report.open);
  EXPECT_EQ(report.done, 2500);
  EXPECT_EQ(report.batches, 4) << "three with rows, and the one that found none";
  EXPECT_EQ(report.cursor, "");
  EXPECT_EQ(report.arguments, R"({"a": 1})");
  EXPECT_EQ(report.requested_by, "anna");
  EXPECT_EQ(report.host, "a/1");
  EXPECT_FALSE(report.finished_at.empty());
  EXPECT_EQ(Run(Copy()).last.id, 0) << "nothing is left";
}

TEST_F(OperationTest, GoesOnWhereTheLastBatchEnded) {
  Start();
  Run(Copy([&](OperationStep&) { stop_ = true; }));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 1000) << "a batch is finished all the same";
  EXPECT_EQ(people_->List(false).at(0).state, "running");
  EXPECT_EQ(people_->List(false).at(0).cursor, "1000");
  stop_ = false;
  EXPECT_EQ(Run(Copy()).last.state, OperationState::kDone);
  ExpectEachRowOnce();
}

TEST_F(OperationTest, AStepThatGivesUpLosesItsBatchOnly) {
  Start();
  Run(Copy([&](OperationStep& step) {
    if (step.cursor() != "1000") return;
    stop_ = true;
    if (step.ShouldStop()) throw Error(SUMMA_E_CANCELLED, "", "as told");
  }));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 1000);
  EXPECT_EQ(people_->List(false).at(0).failures, 0) << "it is no failure";
  stop_ = false;
  Run(Copy());
  ExpectEachRowOnce();
}

// Whatever became of any of the commits, claims included.
TEST_F(OperationTest, ACommitWithoutAnAnswerIsNeverDoneTwice) {
  LostCommit::real = sql();
  summa_sql_v1 table = *sql();
  table.commit = &LostCommit::Commit;
  for (const bool committed : {true, false}) {
    for (int at = 1; at <= 5; ++at) {
      SCOPED_TRACE(std::to_string(at) + (committed ? " committed" : " not committed"));
      db_->Execute("TRUNCATE target");
      const std::int64_t id = Start();
      LostCommit::committed = committed;
      LostCommit::count = 0;
      LostCommit::at = at;
      EXPECT_THROW(Run(Copy(), 0, &table), Error) << "the worker hears of it";
      Run(Copy(), 0, &table);
      EXPECT_EQ(View(id).state, OperationState::kDone);
      ExpectEachRowOnce();
    }
  }
}

TEST_F(OperationTest, NothingIsCommittedWithoutTheLease) {
  const std::int64_t id = Start();
  const auto scope = sql_->ForLease({"copier", "a/1", 7, host::Microseconds(15s)}, "copier");
  try {
    Run(Copy(), 0, scope->table());
    ADD_FAILURE() << "nobody holds this lease";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_FENCED) << error.what();
  }
  EXPECT_EQ(View(id).state, OperationState::kQueued);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 0);
}

// As after a lease that was lost without anybody knowing: both think that it is theirs.
TEST_F(OperationTest, TwoThatWorkAtOnceDoEachRowOnce) {
  const std::int64_t id = Start();
  batch_ = 10;
  std::vector<std::thread> both;
  for (int i = 0; i < 2; ++i) {
    both.emplace_back([&] {
      while (View(id).open()) {
        try {
          Run(Copy());
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), "") << error.what();
        }
      }
    });
  }
  for (std::thread& each : both) each.join();
  EXPECT_EQ(View(id).state, OperationState::kDone);
  ExpectEachRowOnce();
}

TEST_F(OperationTest, APoisonStepIsTriedAgainAndThenFailed) {
  const std::int64_t poison = Start();
  const auto copy = Copy([&](OperationStep& step) {
    if (step.id() == poison && step.cursor() == "1000") throw std::runtime_error("row 1001 is bad");
  });
  Run(copy);
  EXPECT_EQ(View(poison).state, OperationState::kRunning);
  EXPECT_THAT(View(poison).error, testing::HasSubstr("row 1001 is bad"));
  EXPECT_EQ(people_->Find(poison).failures, 1);
  EXPECT_FALSE(people_->Find(poison).retry_at.empty());
  const int before = steps_;
  Run(copy);
  EXPECT_EQ(steps_, before) << "not before its time";
  TryAgainNow();
  Run(copy);
  EXPECT_EQ(View(poison).state, OperationState::kRunning);
  TryAgainNow();
  Run(copy);
  EXPECT_EQ(View(poison).state, OperationState::kFailed);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 1000) << "what was committed stays";

  EXPECT_TRUE(people_->Resume(poison, "anna"));
  EXPECT_EQ(Run(Copy()).last.state, OperationState::kDone);
  ExpectEachRowOnce();
  EXPECT_EQ(people_->Find(poison).steered_by, "anna");
  EXPECT_EQ(people_->Find(poison).error, "");
}

TEST_F(OperationTest, APoisonOperationLetsTheNextOneGoOn) {
  const std::int64_t poison = Start(), good = Start();
  Run(Copy([&](OperationStep& step) {
    if (step.id() == poison) throw std::runtime_error("bad");
  }));
  EXPECT_EQ(View(poison).state, OperationState::kRunning);
  EXPECT_EQ(View(good).state, OperationState::kDone);
  ExpectEachRowOnce();
}

TEST_F(OperationTest, WithoutRetriesTheWorkerHearsOfTheFailure) {
  const std::int64_t id = StartOperation(fake_.host(), sql(), {.kind = "bare"});
  const OperationBinding bare{"bare", [](OperationStep&) -> std::optional<OperationProgress> {
                                throw Error(SUMMA_E_DATA, "XX-0001", "it is bad");
                              }};
  for (int i = 1; i < 8; ++i) {
    EXPECT_THROW(Run(bare), Error);
    EXPECT_EQ(View(id).state, OperationState::kRunning);
    EXPECT_EQ(View(id).error, "XX-0001 it is bad");
    EXPECT_EQ(people_->Find(id).failures, i);
  }
}

TEST_F(OperationTest, WhatIsAwayIsNoFailureOfTheOperation) {
  const std::int64_t id = Start();
  const auto away = Copy(
      [](OperationStep&) { throw Error(SUMMA_E_UNAVAILABLE, "XX-0002", "the archive is away"); });
  for (int i = 0; i < 5; ++i) EXPECT_THROW(Run(away), Error);
  EXPECT_EQ(View(id).state, OperationState::kRunning);
  EXPECT_EQ(people_->Find(id).failures, 0);
}

TEST_F(OperationTest, APauseLetsTheBatchBeFinished) {
  const std::int64_t id = Start();
  Run(Copy([&](OperationStep&) { EXPECT_TRUE(people_->Pause(id, "anna")); }));
  EXPECT_EQ(View(id).state, OperationState::kPaused);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 1000);
  EXPECT_EQ(Run(Copy()).last.id, 0) << "it rests";
  EXPECT_FALSE(people_->Pause(id, "anna")) << "it was so already";
  EXPECT_TRUE(people_->Resume(id, "anna"));
  EXPECT_EQ(Run(Copy()).last.state, OperationState::kDone);
  ExpectEachRowOnce();
}

// A step that takes long asks, and is told within a second.
TEST_F(OperationTest, ALongStepIsToldOfAPause) {
  const std::int64_t id = Start();
  Run(Copy([&](OperationStep& step) {
    EXPECT_FALSE(step.Wait(500ms));
    people_->Pause(id, "anna");
    EXPECT_TRUE(step.Wait(10s));
    EXPECT_TRUE(step.ShouldStop());
    throw Error(SUMMA_E_CANCELLED, "", "as told");
  }));
  EXPECT_EQ(View(id).state, OperationState::kPaused);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 0);
}

TEST_F(OperationTest, AnAbortDuringABatchLetsNothingBeCommitted) {
  const std::int64_t id = Start();
  Run(Copy([&](OperationStep& step) {
    if (step.cursor() == "1000") people_->Abort(id, "anna");
  }));
  EXPECT_EQ(View(id).state, OperationState::kAborted);
  EXPECT_FALSE(people_->Find(id).open);
  EXPECT_EQ(people_->Find(id).done, 1000);
  EXPECT_EQ(undone_, 1);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM target"), 0) << "taken back";
  EXPECT_FALSE(people_->Abort(id, "anna"));
  EXPECT_THROW(people_->Resume(id, "anna"), host::Failure);
}

TEST_F(OperationTest, WhatWasNeverBegunIsAbortedAtOnce) {
  const std::int64_t id = Start();
  EXPECT_TRUE(people_->Abort(id, "anna"));
  EXPECT_FALSE(people_->Find(id).open);
  Run(Copy());
  EXPECT_EQ(undone_, 0);
  EXPECT_EQ(steps_, 0);
}

TEST_F(OperationTest, ATakingBackThatFailsIsTriedUntilItIsDone) {
  const std::int64_t id = Start();
  Run(Copy([&](OperationStep&) { stop_ = true; }));
  stop_ = false;
  people_->Abort(id, "anna");
  OperationBinding stuck = Copy();
  stuck.undo = [](OperationStep&) { throw std::runtime_error("the table is in use"); };
  for (int i = 0; i < 6; ++i) {
    Run(stuck);
    TryAgainNow();
  }
  EXPECT_TRUE(people_->Find(id).open);
  EXPECT_THAT(people_->Find(id).error, testing::HasSubstr("in use"));
  const std::int64_t next = Start();
  EXPECT_EQ(View(next).state, OperationState::kQueued);
  Run(stuck);
  EXPECT_EQ(View(next).state, OperationState::kQueued) << "begins when nothing is in its way";
  TryAgainNow();
  Run(Copy());
  EXPECT_FALSE(people_->Find(id).open);
  EXPECT_EQ(View(next).state, OperationState::kDone);
  ExpectEachRowOnce();
}

TEST_F(OperationTest, KeepsToTheRateAlsoWhenItChanges) {
  const std::int64_t id = Start({.rate = 100});
  const BootTime begin = clock_.BootNow();
  bool changed = false;
  on_wait_ = [&] {
    if (changed || clock_.BootNow() - begin < 5s) return;
    changed = true;
    EXPECT_GE(db_->Count("SELECT count(*) FROM target"), 400);
    EXPECT_LE(db_->Count("SELECT count(*) FROM target"), 700) << "100 rows a second";
    people_->SetRate(id, 1000, "anna");
  };
  Run(Copy());
  const double seconds = std::chrono::duration<double>(clock_.BootNow() - begin).count();
  EXPECT_TRUE(changed);
  EXPECT_GT(seconds, 6);
  EXPECT_LT(seconds, 9) << "five seconds at the old rate, about two at the new one";
  ExpectEachRowOnce();
}

// A batch that was too large for the new rate: the rest of the old one ends soon.
TEST_F(OperationTest, AHigherRateEndsARest) {
  const std::int64_t id = Start();
  const BootTime begin = clock_.BootNow();
  Run(Copy([&](OperationStep& step) {
    if (step.cursor().empty()) people_->SetRate(id, 1, "anna");
    on_wait_ = [&] { people_->SetRate(id, 0, "anna"); };
  }));
  EXPECT_LT(clock_.BootNow() - begin, 10s) << "1,000 rows at one a second are a quarter of an hour";
  ExpectEachRowOnce();
}

TEST_F(OperationTest, ANewerKindIsLeftToNewerPlugins) {
  host::OperationService newer("copier", {{"copy", "", "copier", 2, 3}}, "b/1", "anna", clock_);
  testkit::FakeHost other;
  other.SetOperations(newer.table());
  const std::int64_t id = StartOperation(other.host(), sql(), {.kind = "copy"});
  try {
    Run(Copy());
    ADD_FAILURE() << "it knows version 1 only";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0385");
    EXPECT_EQ(error.status(), SUMMA_E_CONFIG) << "this host lets the lease go";
  }
  const std::int64_t older = Start();
  EXPECT_THROW(Run(Copy()), Error);
  EXPECT_EQ(View(older).state, OperationState::kDone) << "what it knows is done first";
  db_->Execute("TRUNCATE target");
  RunOperation(other.host(), sql(), Caller(), Copy());
  EXPECT_EQ(ReadOperation(other.host(), sql(), id).state, OperationState::kDone);
  ExpectEachRowOnce();
}

TEST_F(OperationTest, ASingleOneIsFoundAgain) {
  const std::int64_t id = Start({.rate = 5, .single = true});
  EXPECT_EQ(Start({.rate = 7, .single = true}), id);
  EXPECT_EQ(View(id).rate, 5) << "what people set stays";
  EXPECT_EQ(Start({.rate = 7, .single = true, .set_rate = true}), id);
  EXPECT_EQ(View(id).rate, 7);
  people_->Abort(id, "anna");
  EXPECT_NE(Start({.single = true}), id);
}

TEST_F(OperationTest, AFailedOneIsNotResumedBesideAnother) {
  const std::int64_t id = Start({.single = true});
  db_->Execute("UPDATE summa_host.operation SET state = 'failed', finished_at = now()");
  Start({.single = true});
  try {
    people_->Resume(id, "anna");
    ADD_FAILURE() << "two at once";
  } catch (const host::Failure& failure) {
    EXPECT_EQ(failure.error().code, "SH-0383");
  }
}

TEST_F(OperationTest, MisuseIsNamed) {
  Start();
  const OperationBinding late{"copy", [](OperationStep& step) -> std::optional<OperationProgress> {
                                step.Save({.finished = true});
                                return OperationProgress{};
                              }};
  EXPECT_EQ(Run(late).last.state, OperationState::kDone) << "what was saved is saved";
  const std::int64_t id = Start();
  const OperationBinding wrong{
      "copy", [](OperationStep&) { return std::optional(OperationProgress{.rows = -1}); }};
  Run(wrong);
  EXPECT_THAT(View(id).error, testing::HasSubstr("SH-0386"));
  EXPECT_THROW(StartOperation(fake_.host(), sql(), {.kind = "unknown"}), Error);
  EXPECT_THROW(Start({.arguments = "[1]"}), Error);
  EXPECT_THROW(View(4711), Error);
  EXPECT_THROW(people_->Find(4711), host::Failure);
}

TEST_F(OperationTest, BatchesByKeyOfAnyType) {
  db_->Execute(
      "CREATE TABLE named (name text PRIMARY KEY); INSERT INTO named VALUES ('a'), ('b''c'), "
      "('d'); CREATE TABLE numbered (id uuid PRIMARY KEY); INSERT INTO numbered SELECT "
      "gen_random_uuid() FROM generate_series(1, 7)");
  Session session(sql());
  const auto count = [&](const std::string& table, const std::string& key) {
    std::int64_t all = 0;
    for (KeyBatch batch = NextKeys(session, table, key, std::nullopt, 2); batch.rows > 0;
         batch = NextKeys(session, table, key, batch.through, 2)) {
      std::vector<Parameter> parameters;
      batch.AddTo(parameters);
      const std::int64_t rows =
          session.Exec("SELECT count(*) FROM " + table + " WHERE " + batch.Where(key), parameters)
              .Value<std::int64_t>();
      EXPECT_EQ(rows, batch.rows);
      all += rows;
    }
    return all;
  };
  EXPECT_EQ(count("named", "name"), 3);
  EXPECT_EQ(count("numbered", "id"), 7);
  EXPECT_EQ(count("source", "id"), 2500);
}

}  // namespace
}  // namespace summa
