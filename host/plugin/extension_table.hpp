// Whether the table of functions behind an extension or a service can be called.
#pragma once

#include <string>
#include <string_view>

namespace summa::host {

// The first function of the table that is missing, by name, though the table is long enough to hold
// it; empty: none is, or the host does not know the extension. `table` is not null.
std::string MissingFunction(std::string_view extension_id, const void* table);

}  // namespace summa::host
