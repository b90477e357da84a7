#include "plugins/bus-redis/server_error.hpp"

#include <algorithm>
#include <array>

namespace summa::bus_redis {

std::string_view ServerErrorWord(std::string_view text) { return text.substr(0, text.find(' ')); }

ServerErrorKind ClassifyServerError(std::string_view text) {
  // Words that speak of the server or of our login. Every other word (WRONGTYPE, OOM, MOVED,
  // NOPERM, ERR ...) was caused by the key, and the server goes on taking messages for other keys.
  // TRYAGAIN: the keys of a transaction are being moved to another node of a cluster.
  static constexpr std::array<std::string_view, 12> kServerWords = {
      "LOADING",    "READONLY",     "MASTERDOWN", "NOAUTH",      "WRONGPASS",   "MISCONF",
      "NOREPLICAS", "NOMASTERLINK", "BUSY",       "CLUSTERDOWN", "NOGOODSLAVE", "TRYAGAIN"};
  const std::string_view word = ServerErrorWord(text);
  if (std::find(kServerWords.begin(), kServerWords.end(), word) != kServerWords.end()) {
    return ServerErrorKind::kServer;
  }
  if (text.starts_with("ERR max number of clients reached")) return ServerErrorKind::kServer;
  return ServerErrorKind::kStream;
}

}  // namespace summa::bus_redis
