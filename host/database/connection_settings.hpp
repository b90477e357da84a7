// From DatabaseSettings to the parameters of a connection of libpq, and why there is none.
// Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "host/database/database_url.hpp"
#include "host/database/session.hpp"

namespace summa::host {

// The URL's own parameters for one of its servers, with ours instead. No setting of the session is
// among them: libpq and poolers evaluate those at the start, so they are made afterwards
// (session_settings.hpp).
ConnectionParameters MakeConnectionParameters(const DatabaseSettings& settings,
                                              const ConnectionParameters& url,
                                              const DatabaseUrl::Host& host);

// Why there is no connection, in libpq's words: SH-0401, or SH-0420 when a connection pooler
// refused what it was told at the start. `words` as with PQERRORS_VERBOSE, to have the SQLSTATE.
SqlFailure ConnectionRefused(const std::string& words, const ConnectionParameters& parameters);

// `text` without the password of the parameters, should libpq ever quote it.
std::string WithoutPassword(std::string text, const ConnectionParameters& parameters);

// A text as a literal of SQL, whatever standard_conforming_strings says.
std::string QuoteLiteral(std::string_view text);

// "public" -> "\"public\"".
std::string QuoteIdentifier(std::string_view name);

}  // namespace summa::host
