#include "plugins/bus-redis/server_error.hpp"

#include <algorithm>
#include <array>
#include <summa/error.hpp>

#include "plugins/bus-redis/rights.hpp"

namespace summa::bus_redis {

std::string_view ServerErrorWord(std::string_view text) {
  // EXEC itself was refused, for the reason that follows.
  static constexpr std::string_view kBecause = "EXECABORT Transaction discarded because of: ";
  if (text.starts_with(kBecause)) text.remove_prefix(kBecause.size());
  return text.substr(0, text.find(' '));
}

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

void ThrowRefused(std::span<const std::string_view> command, std::string_view what,
                  std::string_view server_text) {
  std::string text(what);
  text.append(": ").append(command.front()).append(" was refused: ").append(server_text);
  const std::string_view word = ServerErrorWord(server_text);
  if (word == "OOM") {
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0619", text,
                "give Redis more memory (maxmemory) or let consumers catch up; it is tried again");
  }
  if (word == "NOPERM") {
    throw Error(SUMMA_E_DENIED, "SH-0617", text,
                "allow the login " + RightOf(command) +
                    " on the keys of key_prefix (ACL SETUSER); `summa-host doctor` names all that "
                    "is missing");
  }
  throw Error(SUMMA_E_CONFIG, "SH-0604", text,
              word == "WRONGTYPE" ? "another program uses this key (redis-cli TYPE): remove it, or "
                                    "change plugins.bus-redis.key_prefix"
                                  : "look at the key with redis-cli TYPE");
}

void ThrowRefused(std::initializer_list<std::string_view> command, std::string_view what,
                  std::string_view server_text) {
  ThrowRefused(std::span(command.begin(), command.size()), what, server_text);
}

}  // namespace summa::bus_redis
