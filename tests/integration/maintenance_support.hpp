// What the tests of partitions share: a database with the tables of a deployed ledger and of the
// plan's (in schema plan), and a session as plugins have it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <summa/sql.hpp>
#include <summa/work.hpp>
#include <thread>

#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::maintenance {

using test::Db;
using test::DbError;

inline test::PostgresServer& Server() {
  static test::PostgresServer server([] {
    test::PostgresOptions options;
    options.settings = {{"max_prepared_transactions", "10"}, {"autovacuum", "off"}};
    return options;
  }());
  static const bool ready = [] {
    server.CreateDatabase("ledgers");
    server.RunSqlFile("ledgers", test::SourceDir() + "/tests/fixture/ledger.sql");
    server.RunSql("ledgers", "CREATE SCHEMA plan; ALTER DATABASE ledgers SET search_path = plan");
    server.RunSqlFile("ledgers", test::SourceDir() + "/host/database/ledger/plan.sql");
    server.RunSql("ledgers", "ALTER DATABASE ledgers RESET search_path");
    host::DatabaseSettings settings;
    settings.url = server.Url("ledgers");
    host::ControlPlane(settings).Migrate();
    return true;
  }();
  static_cast<void>(ready);
  return server;
}

class MaintenanceTest : public testing::Test {
 protected:
  MaintenanceTest() {
    static int number = 0;
    const std::string name = "maintenance_" + std::to_string(++number);
    Server();
    settings_.url = Server().CreateDatabase(name, "ledgers");
    settings_.application_name = "maintenance-test";
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings_)}});
    session_ = std::make_unique<Session>(sql_->unleased());
    db_ = std::make_unique<Db>(settings_.url);
  }

  // A partitioned table in the layout of `source`, with January 2026.
  void MakeTable(const std::string& name = "events", const std::string& source = "ledger_event") {
    db_->Execute("CREATE TABLE " + name + " (LIKE " + source +
                 " INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (created_at)");
    db_->Execute("CREATE TABLE " + name + "_old PARTITION OF " + name +
                 " FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z')");
  }
  // An event of the deployed layout.
  static std::string Insert(const std::string& table, const std::string& created_at) {
    return "INSERT INTO " + table +
           " (aggregate_type, aggregate_id, aggregate_version, event_type, event_data, "
           "correlation_id, hash, created_at) VALUES ('account', gen_random_uuid(), 1, 'Made', "
           "'{}', gen_random_uuid(), 'h', '" +
           created_at + "')";
  }
  bool Holds(const std::string& condition) { return db_->Value("SELECT " + condition) == "t"; }
  bool WaitsForLock(int pid) {
    return Holds("EXISTS (SELECT FROM pg_stat_activity WHERE pid = " + std::to_string(pid) +
                 " AND wait_event_type = 'Lock')");
  }

  host::DatabaseSettings settings_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Db> db_;  // for assertions, past the code under test
};

inline DatabaseTime At(int year, unsigned month, unsigned day) {
  return ToDatabase(UnixTime(std::chrono::sys_days(
      std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day))));
}

}  // namespace summa::maintenance
