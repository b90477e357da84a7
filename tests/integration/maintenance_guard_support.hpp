// A partitioned ledger_event of both layouts, on which the guard is put.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "guard/guard.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::maintenance {

using test::Db;

inline test::PostgresServer& Server() {
  static test::PostgresServer server;
  return server;
}

inline constexpr const char* kJanuary = "2026-01-15 12:00:00+00";
inline constexpr const char* kLateJanuary = "2026-01-31 12:00:00+00";
inline constexpr const char* kFebruary = "2026-02-15 12:00:00+00";

// The table of the fixture as a partitioned one, empty. {position} is its global position.
inline constexpr const char* kPartition = R"(
ALTER TABLE outbox DROP CONSTRAINT outbox_event_id_ledger_event_id_fk;
ALTER TABLE ledger_event RENAME TO flat;
CREATE TABLE ledger_event (LIKE flat INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
  PARTITION BY RANGE (created_at);
ALTER SEQUENCE ledger_event_{position}_seq OWNED BY ledger_event.{position};
DROP TABLE flat CASCADE;
CREATE TABLE overflow_low PARTITION OF ledger_event FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00+00');
CREATE TABLE january PARTITION OF ledger_event FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE february PARTITION OF ledger_event FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00');
CREATE TABLE overflow_high PARTITION OF ledger_event FOR VALUES FROM ('2026-04-01 00:00+00') TO (MAXVALUE);
)";

// Runs a statement and tells how it was refused: state, constraint, schema, table, message, detail.
inline constexpr const char* kRefusal = R"(
CREATE FUNCTION refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text; con text; rel text; nsp text; message text; detail text;
BEGIN
  EXECUTE statement;
  RETURN '';
EXCEPTION WHEN others THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, con = CONSTRAINT_NAME, nsp = SCHEMA_NAME,
    rel = TABLE_NAME, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
  RETURN concat_ws(' | ', state, con, nsp, rel, message, detail);
END $$)";

inline std::string Aggregate(int number) {
  const std::string digits = std::to_string(number);
  return "00000000-0000-0000-0000-" + std::string(12 - digits.size(), '0') + digits;
}

class GuardTest : public testing::TestWithParam<ledger::Layout> {
 protected:
  template <typename Function>
  auto InTransaction(Function&& function) {
    Session session(sql_->unleased());
    session.Begin();
    auto result = function(session);
    session.Commit();
    return result;
  }
  void SetUp() override {
    static int number = 0;
    const std::string name = "guard_" + std::to_string(++number);
    url_ = Install(name);
    events_ = ledger::DescribeEvents(GetParam(), "public.ledger_event");
    settings_.url = url_;
    settings_.application_name = "guard-test";
    host::ControlPlane(settings_).Migrate(test::StepsWith({"maintenance"}));
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings_)}});
    db_ = std::make_unique<Db>(url_);
    names_ = InTransaction([&](Session& session) { return NamesOfFlatTable(session, events_); });
    std::string partition = kPartition;
    for (std::size_t at; (at = partition.find("{position}")) != std::string::npos;) {
      partition.replace(at, std::string_view("{position}").size(), events_.position);
    }
    db_->Execute(partition);
    db_->Execute(kRefusal);
  }
  static std::string Install(const std::string& name) {
    if (GetParam() == ledger::Layout::kDeployed) return test::InstallLedger(Server(), name);
    host::DatabaseSettings settings;
    settings.url = Server().CreateDatabase(name);
    host::ControlPlane(settings).CreatePlanLedger();
    return settings.url;
  }

  void Guard() {
    InTransaction([&](Session& session) {
      CreateGuardFunction(session, events_, names_);
      InstallGuard(session, events_);
      return 0;
    });
  }
  std::vector<std::string> Examine() {
    return InTransaction([&](Session& session) {
      std::vector<std::string> texts;
      for (const GuardProblem& problem : ExamineGuard(session, events_)) {
        texts.push_back(problem.where + ": " + problem.what);
      }
      return texts;
    });
  }
  std::vector<std::string> Scrub(const std::string& partition) {
    return InTransaction([&](Session& session) {
      std::vector<std::string> texts;
      for (const GuardProblem& problem : ScrubGuard(session, events_, partition, 10)) {
        texts.push_back(problem.what);
      }
      return texts;
    });
  }

  std::string Columns() const {
    return "(aggregate_type, aggregate_id, event_type, event_data, correlation_id, " +
           events_.version + ", " + events_.hash + ", " + events_.previous_hash + ", created_at)";
  }
  // Event `version` of aggregate `number`; its hash is h and the version.
  static std::string Values(int number, int version, const std::string& time) {
    return "('account', '" + Aggregate(number) + "', 'E', '{}', '" + Aggregate(0) + "', " +
           std::to_string(version) + ", 'h" + std::to_string(version) + "', " +
           (version == 1 ? "NULL" : "'h" + std::to_string(version - 1) + "'") + ", '" + time + "')";
  }
  std::string Insert(int number, int version, const std::string& time = kJanuary,
                     const std::string& table = "ledger_event") const {
    return "INSERT INTO " + table + " " + Columns() + " VALUES " + Values(number, version, time);
  }
  // The first event of aggregate `number`, in February, with `column` as that of aggregate 1.
  std::string InsertWithKeyOfFirst(const std::string& column, int number) const {
    return "INSERT INTO ledger_event (" + column + ", " + Columns().substr(1) + " SELECT " +
           column + ", 'account', '" + Aggregate(number) +
           "', 'E', '{}', correlation_id, 1, 'h1', "
           "NULL, '" +
           kFebruary + "' FROM ledger_event WHERE aggregate_id = '" + Aggregate(1) + "'";
  }
  static std::string Refusal(Db& db, const std::string& statement) {
    return db.Value("SELECT refusal($1)", {statement});
  }
  std::string Refusal(const std::string& statement) { return Refusal(*db_, statement); }
  static std::string State(Db& db, const std::string& statement) {
    try {
      db.Execute(statement);
    } catch (const test::DbError& error) {
      return error.sqlstate;
    }
    return "";
  }
  std::string State(const std::string& statement) { return State(*db_, statement); }
  std::string Head(int number) {
    const auto rows = db_->Query(
        "SELECT version::text || ' ' || hash FROM summa_host.ledger_event_head WHERE aggregate_id "
        "= $1",
        {Aggregate(number)});
    return rows.empty() ? "none" : rows[0][0];
  }
  void ExpectHeadsAndKeysOfAllEvents() {
    for (const char* partition : {"overflow_low", "january", "february", "overflow_high"}) {
      EXPECT_THAT(Scrub(partition), testing::IsEmpty()) << partition;
    }
  }

  // Runs the statement in a session of its own and returns when it waits for a lock.
  std::future<std::string> StartAndWaitForLock(Db& db, const std::string& statement) {
    auto refused =
        std::async(std::launch::async, [&db, statement] { return State(db, statement); });
    test::WaitUntil(
        [&] {
          return db_->Count(
                     "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int AND "
                     "wait_event_type = 'Lock'",
                     {std::to_string(db.BackendPid())}) == 1;
        },
        test::kTimeout, "the second writer to wait");
    return refused;
  }
  // Two writers of the same version: the first ends with `end`; returns the state of the second.
  std::string Race(int version, const std::string& end, const std::string& isolation) {
    Db first(url_), second(url_);
    first.Execute("BEGIN");
    first.Execute(Insert(1, version));
    second.Execute("BEGIN ISOLATION LEVEL " + isolation);
    second.Execute("SELECT count(*) FROM ledger_event");
    auto refused = StartAndWaitForLock(second, Insert(1, version));
    first.Execute(end);
    const std::string state = refused.get();
    second.Execute(state.empty() ? "COMMIT" : "ROLLBACK");
    return state;
  }

  std::string url_;
  ledger::EventTable events_;
  GuardNames names_;
  host::DatabaseSettings settings_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<Db> db_;
};

}  // namespace summa::maintenance
