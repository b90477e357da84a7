// Which shape of the ledger a database has, told from its catalog; names of constraints differ
// between installations and say nothing.
#pragma once

#include <string>

#include "host/database/control_connection.hpp"
#include "host/database/control_plane.hpp"

namespace summa::host {

// SH-0414: tables are missing (all are named). SH-0415: ledger_event is of neither shape.
Layout FindLayout(ControlTransaction& transaction, const std::string& schema);

}  // namespace summa::host
