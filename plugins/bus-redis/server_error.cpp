#include "plugins/bus-redis/server_error.hpp"

#include <algorithm>
#include <array>
#include <summa/error.hpp>

#include "plugins/bus-redis/rights.hpp"

namespace summa::bus_redis {
namespace {

struct Answer {
  std::string_view word;
  const char* hint;
  bool of_login = false;
};

// Error codes that concern the server or our login. Every other word (WRONGTYPE, OOM, MOVED,
// NOPERM, ERR ...) was caused by the key, and the server still accepts messages for other keys.
constexpr std::array<Answer, 12> kServerAnswers = {{
    {"LOADING", "nothing is needed: Redis is loading its data; it is tried again by itself"},
    {"READONLY",
     "this server is a replica: name the master in plugins.bus-redis.url; after a failover it is "
     "tried again by itself"},
    {"MASTERDOWN",
     "start the master that this replica follows, or name it in "
     "plugins.bus-redis.url; it is tried again by itself"},
    {"NOMASTERLINK", "start the master that this replica follows; it is tried again by itself"},
    {"NOGOODSLAVE", "let the failover end; it is tried again by itself"},
    {"NOAUTH", "give user and password in plugins.bus-redis.url", true},
    {"WRONGPASS", "correct user and password in plugins.bus-redis.url", true},
    {"MISCONF",
     "Redis cannot write its file: give it disk space and the right to write to its directory "
     "(INFO persistence, its log); it is tried again by itself"},
    {"NOREPLICAS",
     "start the replicas that min-replicas-to-write asks for; it is tried again by itself"},
    {"BUSY", "end the script that runs (SCRIPT KILL, FUNCTION KILL); it is tried again by itself"},
    {"CLUSTERDOWN",
     "redis-cli --cluster check HOST:PORT names what is missing; it is tried again "
     "by itself"},
    // The keys of a transaction are being moved to another node of a cluster.
    {"TRYAGAIN", "let the resharding end; it is tried again by itself"},
}};

// Of a cluster: "ERR max number of clients + cluster connections reached".
constexpr std::string_view kTooManyClients = "ERR max number of clients";
constexpr Answer kTooMany = {"ERR",
                             "raise maxclients of Redis, or end connections that are not needed "
                             "(CLIENT LIST); it is tried again by itself"};

// Nothing: the error is one of the key.
const Answer* FindAnswer(std::string_view text) {
  if (text.starts_with(kTooManyClients)) return &kTooMany;
  const std::string_view word = ServerErrorWord(text);
  const auto* const found = std::find_if(kServerAnswers.begin(), kServerAnswers.end(),
                                         [&](const Answer& answer) { return answer.word == word; });
  return found == kServerAnswers.end() ? nullptr : found;
}

}  // namespace

std::string_view ServerErrorWord(std::string_view text) {
  // EXEC itself was refused, for the reason that follows.
  static constexpr std::string_view kBecause = "EXECABORT Transaction discarded because of: ";
  if (text.starts_with(kBecause)) text.remove_prefix(kBecause.size());
  return text.substr(0, text.find(' '));
}

ServerErrorKind ClassifyServerError(std::string_view text) {
  return FindAnswer(text) == nullptr ? ServerErrorKind::kStream : ServerErrorKind::kServer;
}

bool IsOutage(std::string_view text) {
  const Answer* answer = FindAnswer(text);
  return answer != nullptr && !answer->of_login;
}

std::string ServerErrorHint(std::string_view text) {
  const Answer* answer = FindAnswer(text);
  return answer == nullptr ? "see the server's log" : answer->hint;
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
                    " on the keys of key_prefix (ACL SETUSER); `summa-host doctor` names all "
                    "missing rights");
  }
  throw Error(SUMMA_E_CONFIG, "SH-0604", text,
              word == "WRONGTYPE" ? "another program uses this key (redis-cli TYPE): remove it, or "
                                    "change plugins.bus-redis.key_prefix"
                                  : "check the key with redis-cli TYPE");
}

void ThrowRefused(std::initializer_list<std::string_view> command, std::string_view what,
                  std::string_view server_text) {
  ThrowRefused(std::span(command.begin(), command.size()), what, server_text);
}

}  // namespace summa::bus_redis
