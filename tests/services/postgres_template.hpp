// Who a private PostgreSQL runs as, from the test kit of the SDK.
#pragma once

#include "sdk/src/testkit/postgresql_template.hpp"

namespace summa::test {

using PostgresUser = testkit::PostgreSqlUser;
using testkit::CopyTemplateData;
using testkit::ServerUser;

}  // namespace summa::test
