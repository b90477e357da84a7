// Compares a build with the ledger, row by row, while both are written to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "engine/build.hpp"

namespace summa::projections {

struct Difference {
  std::string key;
  std::string ledger, read_model;  // empty: there is no row
};

struct Verification {
  std::int64_t rows = 0;  // compared
  std::int64_t differences = 0;
  std::int64_t in_flight = 0;        // rows that an event concerns which is not applied yet
  std::vector<Difference> examples;  // the first ones
};

// Only the read models of this plugin have something in the ledger that they can be compared with.
bool CanVerify(const std::string& projection);

// `progress` gets the number of rows now and then, and returns true to stop (SH-0558). Throws
// SH-0559 when the build is too far behind to be compared.
Verification Verify(const summa_sql_v1* sql, const ledger::EventTable& table, const Build& build,
                    const std::function<bool(std::int64_t)>& progress);

}  // namespace summa::projections
