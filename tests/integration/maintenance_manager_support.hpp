// What the tests of the partition manager share: a database of its own with a partitioned table
// `reading`, a host without metrics, and a caller whose clock is real.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <summa/testkit/fake_host.hpp>
#include <thread>

#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "manager/manager.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/maintenance_server.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::maintenance {

using test::Db;

class PartitionsTest : public testing::Test {
 protected:
  PartitionsTest() {
    static int number = 0;
    url_ = test::InstallLedger(Server(), "partitions_" + std::to_string(++number));
    host::DatabaseSettings settings;
    settings.url = url_;
    settings.application_name = "partitions-test";
    host::ControlPlane(settings).Migrate(test::StepsWith({"maintenance", "reconciliation"}));
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
    fake_ = std::make_unique<testkit::FakeHost>(sql_->unleased());
    db_ = std::make_unique<Db>(url_);
    db_->Execute("SET TimeZone = 'UTC'");
    caller_.now = [] {
      return BootTime(std::chrono::duration_cast<std::chrono::microseconds>(
          std::chrono::steady_clock::now().time_since_epoch()));
    };
    caller_.should_stop = [this] { return stop_.load(); };
    caller_.wait = [this](std::chrono::microseconds time) {
      std::this_thread::sleep_for(time);
      return stop_.load();
    };
    manager_ = std::make_unique<PartitionManager>(fake_->host(), settings_);
    settings_.tables = {TableSettings{}};
    settings_.tables[0].table = "reading";
    settings_.tables[0].ranges.ahead = 2;
    settings_.closed_after = std::chrono::microseconds(0);
  }

  // Monthly ranges, each given by its distance from the current month.
  void UseReading(const std::vector<int>& months) {
    db_->Execute(
        "CREATE TABLE reading (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, "
        "note text) PARTITION BY RANGE (at); CREATE INDEX ON reading (at)");
    for (const int month : months) AddMonth("reading", month);
  }
  void AddMonth(const std::string& table, int month) {
    db_->Execute("DO $do$ BEGIN EXECUTE format('CREATE TABLE " + table + "_%s PARTITION OF " +
                 table + " FOR VALUES FROM (%L) TO (%L)', to_char(" + MonthStart(month) +
                 ", 'YYYY_MM'), " + MonthStart(month) + ", " + MonthStart(month + 1) +
                 "); END $do$");
  }
  static std::string MonthStart(int month) {
    return "(date_trunc('month', now()) + interval '" + std::to_string(month) + " months')";
  }
  std::string NameOfMonth(int month) {
    return "reading_" + db_->Value("SELECT to_char(" + MonthStart(month) + ", 'YYYY_MM')");
  }
  void AddReadings(int month, int count, const std::string& note = "n") {
    db_->Query("INSERT INTO reading (at, note) SELECT " + MonthStart(month) +
                   " + n * interval '1 minute', $2 || n FROM generate_series(1, $1::int) n",
               {std::to_string(count), note});
  }
  // Every row, as text; equal before and after whatever must not change rows.
  std::vector<std::string> Readings() {
    return db_->Column("SELECT r::text FROM reading r ORDER BY id");
  }
  std::vector<std::string> Attached() {
    return db_->Column(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE "
        "i.inhparent = 'reading'::regclass AND NOT i.inhdetachpending ORDER BY 1");
  }
  std::string StateOf(const std::string& name) {
    const auto states =
        db_->Column("SELECT state FROM summa_host.partition_record WHERE name = $1", {name});
    return states.empty() ? "none" : states.front();
  }

  Environment environment() { return {fake_->host(), sql_->unleased(), caller_, settings_}; }
  TickResult RunManager() { return manager_->Run(sql_->unleased(), caller_); }
  std::string ErrorOfRun() {
    try {
      RunManager();
    } catch (const Error& error) {
      return error.code() + " " + error.what();
    }
    return "";
  }
  std::string Findings() const {
    std::string text;
    for (const Finding& finding : manager_->Failing()) text += finding.found + "\n";
    return text;
  }

  std::string url_;
  std::atomic<bool> stop_{false};
  WorkCaller caller_;
  ManagerSettings settings_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<testkit::FakeHost> fake_;
  std::unique_ptr<Db> db_;
  std::unique_ptr<PartitionManager> manager_;
};

}  // namespace summa::maintenance
