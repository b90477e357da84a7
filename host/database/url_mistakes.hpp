// What libpq takes and finds wrong when it connects only: hosts that can be none, a database that
// holds parameters. And files that are named and not there: without a certificate libpq would
// refuse, or verify and show less than was asked for. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "host/database/database_url.hpp"

namespace summa::host {

struct UrlMistake {
  std::string parameter, found, fix;
};

// `given` by the URL itself; `effective` with what stands in the variables of libpq. No text may be
// a piece of the password.
std::optional<UrlMistake> FindUrlMistake(const ConnectionParameters& given,
                                         const ConnectionParameters& effective);

}  // namespace summa::host
