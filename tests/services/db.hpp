// Connections for assertions, from the test kit of the SDK.
#pragma once

#include <summa/testkit/db.hpp>

namespace summa::test {

using testkit::Db;
using testkit::DbError;
using testkit::kNull;
using testkit::Row;
using testkit::Rows;

}  // namespace summa::test
