// Which streams there are, by the names of the keys: all of them, or an error. The one place that
// lists keys.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

// Topics, sorted.
struct Catalog {
  std::vector<std::string> names;
  // Keys whose name none of our streams can have: another program's, or another key_prefix that
  // begins with ours. Left alone.
  std::vector<std::string> foreign_keys;
};

class StreamCatalog {
 public:
  // Told how many keys were looked at so far; false: stop, which ends the listing with
  // SUMMA_E_CANCELLED.
  using OnStep = std::function<bool(std::int64_t keys)>;
  static bool Continue(std::int64_t /*keys*/) { return true; }

  // Both are borrowed.
  StreamCatalog(Servers& servers, const KeyNaming& names) : servers_(servers), names_(names) {}

  // Topics that have a stream, or dead letters. Looks at every key of every server that holds some,
  // in steps that are short for the server, however many there are. Throws what Servers throws, and
  // SUMMA_E_DENIED SH-0617 or SUMMA_E_CONFIG SH-0615 when a server does not list its keys.
  Catalog Streams(const OnStep& on_step = Continue);
  Catalog DeadLetters(const OnStep& on_step = Continue);

 private:
  Catalog Scan(const std::string& start, const OnStep& on_step);

  Servers& servers_;
  const KeyNaming& names_;
};

}  // namespace summa::bus_redis
