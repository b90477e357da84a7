#include "plugins/bus-redis/rights.hpp"

#include <algorithm>
#include <array>

namespace summa::bus_redis {
namespace {

constexpr std::string_view S = kTryStream, D = kTryDeadLetters;
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
      {"+xadd", "publishing", {"XADD", S, "NOMKSTREAM", "*", "doctor", "1"}},
      {"+xadd", "dead letters", {"XADD", D, "NOMKSTREAM", "*", "doctor", "1"}},
      {"+xgroup|create", "consumers", {"XGROUP", "CREATE", S, kGroup, "0"}},
      {"+xgroup|setid", "bus group reset", {"XGROUP", "SETID", S, kGroup, "0"}},
      {"+xgroup|destroy", "bus group delete", {"XGROUP", "DESTROY", S, kGroup}},
      {"+xreadgroup", "consumers", {"XREADGROUP", "GROUP", kGroup, "doctor", "STREAMS", S, ">"}},
      {"+xack", "consumers", {"XACK", S, kGroup, "0-1"}},
      {"+xclaim", "consumers", {"XCLAIM", S, kGroup, "doctor", "0", "0-1"}},
      {"+xpending", "consumers, stream-trim", {"XPENDING", S, kGroup}},
      {"+xrange", "consumers, bus tail, outbox verify", {"XRANGE", S, "-", "+", "COUNT", "1"}},
      {"+xrange", "dead letters", {"XRANGE", D, "-", "+", "COUNT", "1"}},
      {"+xrevrange", "bus tail", {"XREVRANGE", S, "+", "-", "COUNT", "1"}},
      {"+xlen", "bus streams", {"XLEN", S}},
      {"+xlen", "dead letters", {"XLEN", D}},
      {"+exists", "bus tail", {"EXISTS", S}},
      {"+xinfo|stream", "bus tail --from, outbox verify", {"XINFO", "STREAM", S}},
      {"+xinfo|groups", "stream-trim, bus groups", {"XINFO", "GROUPS", S}},
      {"+xinfo|consumers", "stream-trim, bus groups", {"XINFO", "CONSUMERS", S, kGroup}},
      {"+xtrim", "stream-trim", {"XTRIM", S, "MINID", "0-0"}},
      {"+xdel", "dead letters", {"XDEL", D, "0-1"}},
      {"+watch", "dead letters", {"WATCH", D}},
      {"+unwatch", "dead letters", {"UNWATCH"}},
      {"+time", "stream-trim, bus tail --from, outbox verify", {"TIME"}},
      {"+scan", "stream-trim, bus streams, dlq list", {"SCAN", "0", "MATCH", S, "COUNT", "1"}},
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
