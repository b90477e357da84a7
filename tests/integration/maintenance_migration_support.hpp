// What the tests of the migration to partitions share: a deployed ledger with a history of months,
// and an operation whose pauses take no time.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <summa/operation.hpp>
#include <summa/testkit/fake_host.hpp>

#include "host/abi/operation_service.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "host/database/operations.hpp"
#include "migration/migration.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/maintenance_server.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"

namespace summa::maintenance {

using test::Db;

inline constexpr const char* kRows =
    "SELECT md5(string_agg(e::text, '|' ORDER BY sequence_number)) FROM (SELECT id, "
    "sequence_number, aggregate_type, aggregate_id, aggregate_version, event_type, event_data, "
    "correlation_id, hash, prev_hash, created_at FROM ";

// Stands still unless somebody waits.
class TestClock final : public host::Clock {
 public:
  BootTime BootNow() const override { return FromMicroseconds<BootTime>(now_); }
  UnixTime UnixNow() const override { return FromMicroseconds<UnixTime>(now_); }
  void Advance(std::chrono::microseconds time) { now_ += time.count(); }

 private:
  std::atomic<std::int64_t> now_{3'600'000'000};
};

class MigrationTest : public testing::Test {
 protected:
  MigrationTest() {
    static int number = 0;
    settings_.url = test::InstallLedger(Server(), "migration_" + std::to_string(++number));
    settings_.application_name = "migration-test";
    host::ControlPlane(settings_).Migrate(test::StepsWith({"maintenance"}));
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings_)}});
    db_ = std::make_unique<Db>(settings_.url);
    test::EnsureAccounts(settings_.url, 16);
    // A history of months, in the order of the positions.
    db_->Execute(
        "UPDATE ledger_event SET created_at = date_trunc('day', now()) - ((SELECT "
        "max(sequence_number) FROM ledger_event) - sequence_number) * interval '1 day'");
    fake_.SetOperations(service_.table());
  }

  const summa_sql_v1* sql() const { return sql_->unleased(); }
  std::int64_t Start(bool swap = false, const std::string& strategy = "online",
                     const std::string& interval = "monthly") {
    OperationRequest request;
    request.kind = kMigrationKind;
    request.single = true;
    request.arguments = R"({"strategy":")" + strategy + R"(","interval":")" + interval +
                        R"(","verify":"bytes","batchSize":7,"workers":2,)" + R"("swap":)" +
                        (swap ? "true" : "false") + "}";
    id_ = StartOperation(fake_.host(), sql(), request);
    return id_;
  }
  std::string State() {
    return db_->Value(
        "SELECT coalesce((SELECT state FROM summa_host.migration ORDER BY operation DESC LIMIT "
        "1), '')");
  }
  std::string Slices() {
    return db_->Value(
        "SELECT coalesce((SELECT slice_state FROM summa_host.migration ORDER BY operation DESC "
        "LIMIT 1), '')");
  }
  // Until it ends, waits for people, or is told to stop. `on_wait` is called at each pause.
  void Run(const std::function<void()>& on_wait = [] {}) {
    RunWhile([] { return true; }, on_wait);
  }
  // Until it or its slices are in `state`.
  void RunUntil(const std::string& state) {
    const auto reached = [this, state] { return State() == state || Slices() == state; };
    RunWhile([&] { return !reached(); }, [] {});
    EXPECT_TRUE(reached()) << "it is " << State() << ", its slices " << Slices() << ", and not "
                           << state;
  }
  void RunWhile(const std::function<bool()>& goes_on, const std::function<void()>& on_wait) {
    const WorkCaller caller =
        Caller([&] { return stop_ || migration_.waits_for_people() || !goes_on(); }, on_wait);
    RunOperation(fake_.host(), sql(), caller, migration_.Binding(), id_);
  }
  WorkCaller Caller(const std::function<bool()>& should_stop,
                    const std::function<void()>& on_wait) {
    return {[this] { return fake_.host().BootNow(); }, should_stop,
            [this, on_wait](std::chrono::microseconds time) {
              fake_.Advance(time);
              clock_.Advance(time);
              on_wait();
              return false;
            }};
  }
  void Request(const std::string& what) {
    db_->Change("UPDATE summa_host.migration SET request = $1", {what});
  }
  // The error of a run.
  std::string Refusal() {
    try {
      Run();
    } catch (const Error& error) {
      return error.code() + " " + error.what();
    }
    return "";
  }
  std::string Rows(const std::string& table) { return db_->Value(kRows + table + ") e"); }
  void Append() { db_->Execute("SELECT fixture.credit(fixture.account_id(1), 5)"); }
  bool Exists(const std::string& table) {
    return db_->Value("SELECT to_regclass($1) IS NOT NULL", {table}) == "t";
  }
  void ExpectNoTriggerOfOurs() {
    EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'ledger_event'::regclass "
                         "AND NOT tgisinternal"),
              0);
  }
  // And with a primary key, each of them.
  void ExpectGuardedPartitions() {
    EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_inherits h WHERE h.inhparent = "
                         "'ledger_event'::regclass AND (NOT EXISTS (SELECT FROM pg_trigger t WHERE "
                         "t.tgrelid = h.inhrelid AND t.tgname = 'zz_summa_guard' AND t.tgenabled = "
                         "'A') OR NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = h.inhrelid "
                         "AND x.indisprimary))"),
              0);
  }
  // Of its error; "" when there is none.
  std::string SqlStateOf(const std::string& statement) {
    try {
      db_->Execute(statement);
    } catch (const test::DbError& error) {
      return error.sqlstate;
    }
    return "";
  }
  bool IsPartitioned() {
    return db_->Value("SELECT relkind FROM pg_class WHERE oid = 'ledger_event'::regclass") == "p";
  }

  host::DatabaseSettings settings_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<Db> db_;
  TestClock clock_;
  host::OperationService service_{
      "maintenance", {{kMigrationKind, "", kMigrationKind, 1, 0}}, "a/1", "anna", clock_};
  testkit::FakeHost fake_;
  const std::chrono::microseconds closed_after_{0};
  Migration migration_{fake_.host(), closed_after_};
  std::int64_t id_ = 0;
  std::atomic<bool> stop_{false};
};

}  // namespace summa::maintenance
