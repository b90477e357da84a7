// What libpq takes and finds wrong when it connects only, and then every time: hosts that can be
// none, a database that holds parameters, files that are not there. Thread-safe.
#pragma once

#include <optional>

#include "host/database/database_url.hpp"
#include "host/error.hpp"

namespace summa::host {

// `given` by the URL itself; `effective` with what stands in the variables of libpq. The message
// holds no text that may be a piece of the password.
std::optional<Error> FindUrlMistake(const ConnectionParameters& given,
                                    const ConnectionParameters& effective);

}  // namespace summa::host
