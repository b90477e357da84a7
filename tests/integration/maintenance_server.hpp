// The PostgreSQL of the tests of partitions in which each test has a database of its own.
#pragma once

#include "tests/services/postgres_server.hpp"

namespace summa::maintenance {

inline test::PostgresServer& Server() {
  static test::PostgresServer server([] {
    test::PostgresOptions options;
    options.settings = {{"max_prepared_transactions", "10"}};
    return options;
  }());
  return server;
}

}  // namespace summa::maintenance
