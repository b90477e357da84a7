// What the tests of Summa::ledger share: databases of their own in a real PostgreSQL, and
// summa.sql/1 on them as the host gives it to plugins.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <summa/ledger/event_table.hpp>

#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::ledger {

inline test::PostgresServer& Server() {
  static test::PostgresServer server([] {
    test::PostgresOptions options;
    options.settings["max_prepared_transactions"] = "20";
    return options;
  }());
  return server;
}

// One database seen through summa.sql/1 and through a bare connection.
class LedgerDatabase {
 public:
  explicit LedgerDatabase(const std::string& name) : url(Server().Url(name)), db(url) {
    host::DatabaseSettings settings;
    settings.url = url;
    settings.application_name = "ledger-test";
    service_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
  }
  const summa_sql_v1* sql() const { return service_->unleased(); }

  const std::string url;
  test::Db db;

 private:
  std::unique_ptr<host::SqlService> service_;
};

}  // namespace summa::ledger
