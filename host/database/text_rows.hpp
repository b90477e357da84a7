// Rows and parameters of the host's own statements: all values as text, an absent one is NULL.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace summa::host {

using TextRows = std::vector<std::vector<std::optional<std::string>>>;
using TextParameters = std::vector<std::optional<std::string>>;
// Asks one statement, wherever it is asked.
using QueryFunction =
    std::function<TextRows(const std::string& sql, const TextParameters& parameters)>;

}  // namespace summa::host
