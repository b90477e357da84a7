// From DatabaseSettings to the parameters of a connection, of libpq. Thread-safe.
// Throws SqlFailure SH-0418 when the URL cannot be read; no message ever shows the URL.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/database/session.hpp"

namespace summa::host {

using ConnectionParameters = std::vector<std::pair<std::string, std::string>>;

// The URL's own parameters, with ours instead or, for `options`, after them. Settings travel as
// connection options, so that RESET and a rollback come back to them. read_only: writes fail with
// 25006 outside a transaction that was begun read-write.
ConnectionParameters MakeConnectionParameters(const DatabaseSettings& settings, bool read_only);

// The settings of a session, by name: what MakeConnectionParameters sends as options.
std::vector<std::pair<std::string, std::string>> SessionSettings(const DatabaseSettings& settings,
                                                                 bool read_only);

// Why there is no connection: SH-0401, or SH-0420 when a connection pooler refused the options.
SqlFailure ConnectionRefused(const std::string& reason, const ConnectionParameters& parameters);

// `text` without the password of the parameters, should a driver ever quote it.
std::string WithoutPassword(std::string text, const ConnectionParameters& parameters);

// A text as a literal of SQL, whatever standard_conforming_strings says.
std::string QuoteLiteral(std::string_view text);

// "public" -> "\"public\"".
std::string QuoteIdentifier(std::string_view name);

}  // namespace summa::host
