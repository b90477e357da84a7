// What the login may have to do in Redis: every command that any verb, worker or consumer sends.
// From this table come the ACL line of the documentation, the tries of `doctor` and the login of
// the tests, so a command that is missing here fails them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace summa::bus_redis {

// Stand for a key in a try.
inline constexpr std::string_view kTryStream = "{stream}";
inline constexpr std::string_view kTryDeadLetters = "{dlq}";

struct Right {
  std::string_view rule;  // as ACL SETUSER takes it
  std::string_view used_for;
  // A call that has no effect on keys that are not there. Several rows of one rule try it on
  // several keys.
  std::vector<std::string_view> call;
  bool needed = true;  // false: only something is said less well without it
};

std::span<const Right> Rights();

// "+xgroup|create" of XGROUP CREATE ...
std::string RightOf(std::span<const std::string_view> command);

// "~summa:* +ping ...": what ACL SETUSER has to be told of a login, beside its password.
std::string AclRules(std::string_view key_prefix);

}  // namespace summa::bus_redis
