// What a database URL says, read by libpq itself and without any connection: also what libpq takes
// from its environment variables and service files. No text that leaves here shows the URL or its
// password. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/error.hpp"

namespace summa::host {

using ConnectionParameters = std::vector<std::pair<std::string, std::string>>;

// The value, empty when there is none.
std::string Get(const ConnectionParameters& parameters, std::string_view key);
// The parts of a value between commas; one, empty, when there is none.
std::vector<std::string> GetList(const ConnectionParameters& parameters, std::string_view key);
void Set(ConnectionParameters& parameters, const std::string& key, const std::string& value);

// Which server will do, as libpq's target_session_attrs.
enum class TargetServer { kAny, kReadWrite, kReadOnly, kPrimary, kStandby, kPreferStandby };

struct DatabaseUrl {
  struct Host {
    std::string name, address, port;  // as libpq's host, hostaddr and port
  };
  ConnectionParameters parameters;  // without what chooses the server
  std::vector<Host> hosts;          // in the order of the URL
  TargetServer target = TargetServer::kAny;
  bool shuffle = false;                                 // load_balance_hosts=random
  std::optional<std::chrono::seconds> connect_timeout;  // for each address
};

// A permanent mistake in the URL, or in a variable that libpq reads; nullopt: there is none.
// must_write: the server must be one that takes writes. Codes SH-0418 and SH-0226 to SH-0229.
std::optional<Error> CheckDatabaseUrl(const std::string& url, bool must_write);

// SqlFailure with what CheckDatabaseUrl finds.
DatabaseUrl ReadDatabaseUrl(const std::string& url, bool must_write);

}  // namespace summa::host
