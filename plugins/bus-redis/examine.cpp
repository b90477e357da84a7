#include "plugins/bus-redis/examine.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/rights.hpp"
#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

// 6.2 is the first with XADD NOMKSTREAM and XAUTOCLAIM; 5.0 the first with streams.
constexpr int kTestedMajor = 6, kTestedMinor = 2, kLowestMajor = 5;
constexpr int kPings = 5;
// A pipeline of a batch is one way and back: this is what each batch waits at least.
constexpr double kSlowMilliseconds = 50;
constexpr double kFullWarning = 0.8;  // of maxmemory: time to act before messages are refused
// No topic of Summa has this name.
constexpr std::string_view kNoStream = "summa-doctor-looks-here";

using Info = std::map<std::string, std::string, std::less<>>;

Info ReadInfo(Connection& connection) {
  const Reply reply = connection.Command({"INFO", "all"});
  if (IsError(*reply)) {
    ThrowRefused({"INFO"}, "Redis", Text(*reply));
  }
  Info info;
  std::string_view text = Text(*reply);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      info.emplace(line.substr(0, colon), line.substr(colon + 1));
    }
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return info;
}

std::string Get(const Info& info, std::string_view name) {
  const auto found = info.find(name);
  return found == info.end() ? std::string() : found->second;
}

// nullopt: the login may not ask, or the server hides it (managed ones do).
std::optional<std::string> ReadConfigValue(Connection& connection, std::string_view name) {
  const Reply reply = connection.Command({"CONFIG", "GET", name});
  if (!IsArray(*reply) || reply->elements != 2) return std::nullopt;
  return std::string(Text(*reply->element[1]));
}

void ExamineVersion(const Info& info, const Report& report) {
  const std::string version = Get(info, "redis_version");
  int major = 0, minor = 0;
  static_cast<void>(std::sscanf(version.c_str(), "%d.%d", &major, &minor));
  Finding finding{Severity::kOk, "version", version, "6.2 or newer", ""};
  if (std::pair(major, minor) < std::pair(kTestedMajor, kTestedMinor)) {
    finding.severity = major < kLowestMajor ? Severity::kError : Severity::kWarning;
    finding.fix = "upgrade Redis; versions before 6.2 are not tested";
  }
  report(finding);
}

void ExamineRole(const Info& info, const Report& report) {
  const std::string role = Get(info, "role");
  const bool master = role == "master";
  report({master ? Severity::kOk : Severity::kError, "role", role, "master",
          master ? "" : "name the master in plugins.bus-redis.url: a replica accepts no messages"});
}

// A single server may have replicas for other purposes; where a failover is intended, they matter.
void ExamineReplicas(const Connection& connection, const Info& info, int wait_replicas,
                     const Report& report) {
  const bool fails_over = connection.options().url.kind != ServerKind::kSingle;
  if (!fails_over && wait_replicas == 0) return;
  const int follow = std::atoi(Get(info, "connected_slaves").c_str());
  Finding finding{
      Severity::kOk, "replicas",
      std::to_string(follow) + " follow, wait_replicas is " + std::to_string(wait_replicas), "",
      ""};
  if (wait_replicas == 0) {
    finding.severity = Severity::kWarning;
    finding.expected =
        "wait_replicas of 1 or more: otherwise a failover may lose confirmed messages";
    finding.fix =
        "set plugins.bus-redis.wait_replicas, or accept the loss and restore it from the "
        "ledger";
  } else if (follow < wait_replicas) {
    finding.severity = Severity::kError;
    finding.expected = "as many as wait_replicas: with fewer, nothing is confirmed";
    finding.fix = "start the replicas, or lower plugins.bus-redis.wait_replicas";
  }
  report(finding);
}

void ExamineMemory(const Info& info, const Report& report) {
  const std::string policy = Get(info, "maxmemory_policy");
  const bool keeps = policy == "noeviction";
  report({keeps ? Severity::kOk : Severity::kError, "maxmemory-policy", policy,
          "noeviction: every other policy may delete whole streams",
          keeps ? "" : "CONFIG SET maxmemory-policy noeviction, and in redis.conf"});
  const double most = std::atof(Get(info, "maxmemory").c_str());
  const double used = std::atof(Get(info, "used_memory").c_str());
  const std::string human = Get(info, "used_memory_human") + " used, ";
  if (most <= 0) {
    report({Severity::kWarning, "maxmemory", human + "no limit",
            "a limit below the memory of the machine",
            "set maxmemory: without it, the kernel kills Redis when the machine runs out of "
            "memory; with it, Redis refuses messages until there is room"});
    return;
  }
  const bool full = used > kFullWarning * most;
  report(
      {full ? Severity::kWarning : Severity::kOk, "maxmemory",
       human + "limit " + Get(info, "maxmemory_human"), "under 80 % used",
       full ? "raise maxmemory or let consumers catch up; a full Redis accepts no messages" : ""});
}

void ExamineAppendOnly(Connection& connection, const Info& info, const Report& report) {
  if (Get(info, "aof_enabled") != "1") {
    const auto save = ReadConfigValue(connection, "save");
    const std::string snapshots = !save           ? "snapshots unknown"
                                  : save->empty() ? "no snapshots"
                                                  : "snapshots " + *save;
    report({Severity::kError, "appendonly", "no, " + snapshots,
            "yes: otherwise a crash of Redis loses messages that it confirmed and that count as "
            "delivered",
            "CONFIG SET appendonly yes, and in redis.conf"});
    return;
  }
  report({Severity::kOk, "appendonly", "yes", "", ""});
  const auto sync = ReadConfigValue(connection, "appendfsync");
  if (!sync) {
    report({Severity::kWarning, "appendfsync", "cannot be read", "always",
            "allow the login +config|get, or check redis.conf"});
  } else if (*sync == "always") {
    report({Severity::kOk, "appendfsync", *sync, "", ""});
  } else {
    report({*sync == "everysec" ? Severity::kWarning : Severity::kError, "appendfsync", *sync,
            "always: otherwise a crash of the machine loses the last " +
                std::string(*sync == "everysec" ? "second" : "half minute") +
                " of confirmed messages",
            "CONFIG SET appendfsync always, and in redis.conf; or accept the loss and restore it "
            "from the ledger"});
  }
}

void ExaminePersistence(Connection& connection, const Info& info, const Report& report) {
  ExamineAppendOnly(connection, info, report);
  for (const char* name : {"aof_last_write_status", "rdb_last_bgsave_status"}) {
    const std::string value = Get(info, name);
    if (value.empty() || value == "ok") continue;
    report(
        {Severity::kError, name, value, "ok", "check the log of Redis: it cannot write its files"});
  }
}

void ExamineLatency(Connection& connection, const Report& report) {
  double worst = 0;
  for (int i = 0; i < kPings; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    connection.Command({"PING"});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    worst = std::max(worst, took.count());
  }
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2f ms, the slowest of %d", worst, kPings);
  const bool slow = worst > kSlowMilliseconds;
  report({slow ? Severity::kWarning : Severity::kOk, "latency", text.data(), "under 50 ms",
          slow ? "check SLOWLOG and the network between host and Redis" : ""});
}

enum class Allowed { kYes, kNotTheCommand, kNotTheKey };

// Every answer but NOPERM shows that the login may: the keys are not there, so nothing is changed.
Allowed Try(Connection& connection, const Right& right, const std::string& stream,
            const std::string& dead_letters) {
  std::vector<std::string_view> call = right.call;
  std::replace(call.begin(), call.end(), kTryStream, std::string_view(stream));
  std::replace(call.begin(), call.end(), kTryDeadLetters, std::string_view(dead_letters));
  connection.Append(call);
  const Reply reply = connection.Next(connection.CommandDeadline());
  // Ends the transaction also when it is refused.
  if (right.rule == "+multi" && !IsError(*reply)) connection.Command({"EXEC"});
  const std::string_view text = Text(*reply);
  if (!IsError(*reply) || ServerErrorWord(text) != "NOPERM") return Allowed::kYes;
  // "... to access one of the keys used as arguments", in 7.2 "... to access the 'x' key"
  return text.find(" key") != text.npos ? Allowed::kNotTheKey : Allowed::kNotTheCommand;
}

struct Missing {
  std::string rules, for_people;
  void Add(std::string_view rule, std::string_view used_for) {
    if (std::exchange(last_, rule) == rule) return;  // tried on another key before
    rules.append(rules.empty() ? "" : " ").append(rule);
    for_people.append(for_people.empty() ? "" : ", ").append(rule);
    for_people.append(" (").append(used_for).append(")");
  }

 private:
  std::string last_;
};

std::vector<Allowed> TryAll(Connection& connection, const KeyNaming& names) {
  const std::string stream = names.Stream(kNoStream);
  const std::string dead_letters = names.DeadLetter(kNoStream);
  std::vector<Allowed> answers;
  for (const Right& right : Rights()) {
    answers.push_back(Try(connection, right, stream, dead_letters));
  }
  return answers;
}

void ExamineRights(Connection& connection, const KeyNaming& names, const Report& report) {
  const std::vector<Allowed> answers = TryAll(connection, names);
  Missing needed, wished;
  if (std::find(answers.begin(), answers.end(), Allowed::kNotTheKey) != answers.end()) {
    needed.Add("~" + names.prefix() + ":*", "streams and dead letters");
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Right& right = Rights()[i];
    if (answers[i] != Allowed::kNotTheCommand) continue;
    (right.needed ? needed : wished).Add(right.rule, right.used_for);
  }
  const std::string named = connection.LoginNow().user;
  const std::string user = named.empty() ? "default" : named;
  const std::string command = "ACL SETUSER " + user + " ";
  if (needed.rules.empty()) {
    report({Severity::kOk, "rights", "user " + user + " has all rights that are needed", "", ""});
  } else {
    report({Severity::kError, "rights", "user " + user + " lacks " + needed.for_people,
            "the rights of publishers, consumers, workers and verbs", command + needed.rules});
  }
  if (wished.rules.empty()) return;
  report({Severity::kOk, "rights that help", "user " + user + " lacks " + wished.for_people, "",
          command + wished.rules});
}

// Its own answers, and what the other servers report about it.
void ExamineServer(Connection& connection, const KeyNaming& names, int wait_replicas,
                   const Report& report) {
  report({Severity::kOk, "connection", connection.address() + " answers", "", ""});
  ExamineLatency(connection, report);
  ExamineRights(connection, names, report);
  const Info info = ReadInfo(connection);
  ExamineVersion(info, report);
  ExamineRole(info, report);
  ExamineReplicas(connection, info, wait_replicas, report);
  ExamineMemory(info, report);
  ExaminePersistence(connection, info, report);
}

void ExamineCluster(Connection& connection, const Report& report) {
  const Reply reply = connection.Command({"CLUSTER", "INFO"});
  const std::string_view text = Text(*reply);
  const bool whole = text.find("cluster_state:ok") != std::string_view::npos;
  const std::string_view state = IsError(*reply) ? text : whole ? "ok" : "fail";
  report({whole ? Severity::kOk : Severity::kError, "cluster", std::string(state), "ok",
          whole ? "" : "redis-cli --cluster check HOST:PORT names what is missing"});
}

}  // namespace

void ExamineServers(Servers& servers, const KeyNaming& names, int wait_replicas,
                    const Report& report) {
  bool first = true;
  servers.ForEach([&](Connection& connection) {
    if (!servers.cluster()) {
      ExamineServer(connection, names, wait_replicas, report);
      return;
    }
    if (std::exchange(first, false)) ExamineCluster(connection, report);
    const RedisUrl& url = connection.options().url;
    ExamineServer(connection, names, wait_replicas, [&](Finding finding) {
      finding.subject += " of " + Endpoint{url.host, url.port}.ForPeople();
      report(finding);
    });
  });
}

}  // namespace summa::bus_redis
