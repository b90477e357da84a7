// A private PostgreSQL, from the test kit of the SDK.
#pragma once

#include <summa/testkit/postgresql.hpp>

#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::test {

using PostgresServer = testkit::PostgreSql;
using PostgresOptions = testkit::PostgreSqlOptions;

inline std::string PostgresBinaries() { return testkit::PostgreSqlBinaries(); }

}  // namespace summa::test
