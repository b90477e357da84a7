// The address of an endpoint, checked before it is stored.
#pragma once

#include <string>

#include "address.hpp"

namespace webhook {

// Throws summa::Error WH-0002 unless it is https://HOST[:PORT]/PATH (or http://, where allowed) whose
// host may be used, as far as that is known without asking for its name. What the name stands for is
// checked at each connection.
void CheckUrl(const std::string& url, bool allow_http, const AddressRules& rules);

}  // namespace webhook
