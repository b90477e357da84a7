// Rows and parameters of the host's own statements: all values as text, an absent one is NULL.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace summa::host {

using TextRows = std::vector<std::vector<std::optional<std::string>>>;
using TextParameters = std::vector<std::optional<std::string>>;

}  // namespace summa::host
