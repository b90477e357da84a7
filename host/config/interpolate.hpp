// Fills text of the environment and of files into the values of a parsed configuration.
//
//   ${VAR}            the variable; an error when it is not set
//   ${VAR:-default}   the default when it is not set or empty
//   ${VAR:?why}       an error that says why when it is not set or empty
//   ${file:/path}     the content of the file without the line end that closes it
//   $$                a dollar
//
// It works on parsed values, so what is filled in can never change the structure; it is not looked
// at again, so a password may hold anything. Keys are left alone. Values with a problem are marked
// unusable; values that had text filled in are marked interpolated (secret: from a file).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "host/config/document.hpp"

namespace summa::host {

// Gives the value of a variable, nullopt when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
// The environment of this process.
Environment ProcessEnvironment();

void Interpolate(Node& root, const Environment& environment, Diagnostics& diagnostics);

}  // namespace summa::host
