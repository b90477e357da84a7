#include "plugins/bus-redis/rights.hpp"

#include <algorithm>
#include <array>

namespace summa::bus_redis {
namespace {

constexpr std::string_view kStream = kTryStream, kDead = kTryDeadLetters;
constexpr std::string_view kGroup = "summa-doctor";

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

std::span<const Right> Rights() {
  static const std::vector<Right> rights = {
      {"+ping", "connections", {"PING"}},
      {"+select", "a database other than 0", {"SELECT", "no"}, false},
      {"+client|setname", "the name in CLIENT LIST", {"CLIENT", "SETNAME", "summa-doctor"}, false},
      {"+exec", "publishing, dead letters", {"EXEC"}},
      {"+multi", "publishing, dead letters", {"MULTI"}},
      {"+xadd", "publishing", {"XADD", kStream, "NOMKSTREAM", "*", "doctor", "1"}},
      {"+xadd", "dead letters", {"XADD", kDead, "NOMKSTREAM", "*", "doctor", "1"}},
      {"+xgroup|create", "consumers", {"XGROUP", "CREATE", kStream, kGroup, "0"}},
      {"+xgroup|setid", "bus group reset", {"XGROUP", "SETID", kStream, kGroup, "0"}},
      {"+xgroup|destroy", "bus group delete", {"XGROUP", "DESTROY", kStream, kGroup}},
      {"+xreadgroup",
       "consumers",
       {"XREADGROUP", "GROUP", kGroup, "doctor", "STREAMS", kStream, ">"}},
      {"+xack", "consumers", {"XACK", kStream, kGroup, "0-1"}},
      {"+xclaim", "consumers", {"XCLAIM", kStream, kGroup, "doctor", "0", "0-1"}},
      {"+xpending", "consumers, stream-trim", {"XPENDING", kStream, kGroup}},
      {"+xrange",
       "consumers, bus tail, outbox verify",
       {"XRANGE", kStream, "-", "+", "COUNT", "1"}},
      {"+xrange", "dead letters", {"XRANGE", kDead, "-", "+", "COUNT", "1"}},
      {"+xrevrange", "bus tail", {"XREVRANGE", kStream, "+", "-", "COUNT", "1"}},
      {"+xlen", "bus streams", {"XLEN", kStream}},
      {"+xlen", "dead letters", {"XLEN", kDead}},
      {"+exists", "bus tail", {"EXISTS", kStream}},
      {"+xinfo|stream", "bus tail --from, outbox verify", {"XINFO", "STREAM", kStream}},
      {"+xinfo|groups", "stream-trim, bus groups", {"XINFO", "GROUPS", kStream}},
      {"+xinfo|consumers", "stream-trim, bus groups", {"XINFO", "CONSUMERS", kStream, kGroup}},
      {"+xtrim", "stream-trim", {"XTRIM", kStream, "MINID", "0-0"}},
      {"+xdel", "dead letters", {"XDEL", kDead, "0-1"}},
      {"+watch", "dead letters", {"WATCH", kDead}},
      {"+unwatch", "dead letters", {"UNWATCH"}},
      {"+time", "stream-trim, bus tail --from, outbox verify", {"TIME"}},
      {"+scan",
       "stream-trim, bus streams, dlq list",
       {"SCAN", "0", "MATCH", kStream, "COUNT", "1"}},
      {"+wait", "publishing with wait_replicas", {"WAIT", "0", "1"}, false},
      {"+asking", "a Redis Cluster", {"ASKING"}, false},
      {"+cluster|slots", "a Redis Cluster", {"CLUSTER", "SLOTS"}, false},
      {"+cluster|info", "a Redis Cluster", {"CLUSTER", "INFO"}, false},
      {"+info", "doctor", {"INFO", "server"}},
      {"+config|get", "doctor", {"CONFIG", "GET", "appendfsync"}, false},
  };
  return rights;
}

std::string RightOf(std::span<const std::string_view> command) {
  static constexpr std::array<std::string_view, 5> kContainers = {"client", "cluster", "config",
                                                                  "xgroup", "xinfo"};
  const std::string name = Lower(command.front());
  const bool container =
      std::find(kContainers.begin(), kContainers.end(), name) != kContainers.end();
  return "+" + name + (container && command.size() > 1 ? "|" + Lower(command[1]) : "");
}

std::string AclRules(std::string_view key_prefix) {
  std::string rules = "~" + std::string(key_prefix) + ":*";
  std::string_view last;
  for (const Right& right : Rights()) {
    if (right.rule == last) continue;
    last = right.rule;
    rules.append(" ").append(right.rule);
  }
  return rules;
}

}  // namespace summa::bus_redis
