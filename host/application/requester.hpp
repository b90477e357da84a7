// Who gives an order to the fleet, for whoever reads it later.
#pragma once

#include <string>

namespace summa::host {

// "anna@ledger-1": the person at the terminal, and the host's name. Without one, the name.
std::string Requester(const std::string& host_name);

}  // namespace summa::host
