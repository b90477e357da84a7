// One private server per test program and one database with Summa's tables per test.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "host/database/control_plane.hpp"
#include "host/database/session.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::host {

// Made by the first test, in the main thread; gone with the program.
inline test::PostgresServer& Server() {
  static test::PostgresServer server;
  static const bool ready = [] {
    server.CreateDatabase("ledger_template");
    server.RunSqlFile("ledger_template", test::SourceDir() + "/tests/fixture/ledger.sql");
    DatabaseSettings settings;
    settings.url = server.Url("ledger_template");
    ControlPlane(settings).Migrate();
    return true;
  }();
  static_cast<void>(ready);
  return server;
}

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    static std::atomic<int> number{0};
    name_ = "t" + std::to_string(++number);
    Server();
    settings_.url = Server().CreateDatabase(name_, "ledger_template");
    settings_.application_name = "summa-host/test";
    db_ = std::make_unique<test::Db>(settings_.url);
  }

  void Kill(int backend_pid) {
    db_->Query("SELECT pg_terminate_backend($1::int)", {std::to_string(backend_pid)});
    test::WaitUntil(
        [&] {
          return db_->Count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int",
                            {std::to_string(backend_pid)}) == 0;
        },
        test::kTimeout, "the end of a backend");
  }
  bool Waiting(int backend_pid, const std::string& kind) {
    return db_->Count(
               "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int AND "
               "wait_event_type = $2 AND state = 'active'",
               {std::to_string(backend_pid), kind}) == 1;
  }

  std::string name_;
  DatabaseSettings settings_;
  std::unique_ptr<test::Db> db_;  // for assertions, past the code under test
};

// What `make` opens, with limits that a busy machine may exceed a few times.
template <typename Make>
auto AtLast(Make&& make) {
  decltype(make()) made;
  test::WaitUntil(
      [&] {
        try {
          made = make();
          return true;
        } catch (const SqlFailure&) {
          return false;
        }
      },
      test::kTimeout, "a connection");
  return made;
}

// The SqlFailure that `action` throws; the test fails when it throws none.
inline SqlFailure CatchSql(const std::function<void()>& action) {
  try {
    action();
  } catch (const SqlFailure& failure) {
    return failure;
  }
  ADD_FAILURE() << "no SqlFailure was thrown";
  return SqlFailure(Error{"none", "", "", ""}, "none");
}

}  // namespace summa::host
