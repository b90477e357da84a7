#include "plugins/bus-redis/redis_url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <summa/error.hpp>
#include <system_error>

namespace summa::bus_redis {
namespace {

constexpr std::string_view kForm =
    "write redis[s]://[user[:password]@]host[:port][/database], several hosts with commas for a "
    "Redis Cluster, redis[s]+sentinel://[login@]host[:port],.../master, or "
    "unix://[:password@]/path/to/socket[?db=N]";

// sockaddr_un holds 108 bytes with the NUL; a longer path would be cut silently.
constexpr std::size_t kMaximumSocketPath = 107;

[[noreturn]] void Refuse(const std::string& problem, std::string_view hint = kForm) {
  throw Error(SUMMA_E_CONFIG, "SH-0606", "plugins.bus-redis.url: " + problem, std::string(hint));
}

std::optional<int> ParseNumber(std::string_view text, int maximum) {
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value < 0 || value > maximum) {
    return std::nullopt;
  }
  return value;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string DecodePercent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      Refuse("the user or password has a % that is not followed by two hexadecimal digits",
             "write %25 for a percent sign");
    }
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

void ReadLogin(std::string_view login, RedisUrl& url) {
  const std::size_t colon = login.find(':');
  url.user = DecodePercent(login.substr(0, colon));
  if (colon != std::string_view::npos) url.password = DecodePercent(login.substr(colon + 1));
  if (!url.user.empty() && url.password.empty()) {
    Refuse("a user without a password", "write user:password@, or :password@ for a password alone");
  }
}

int ReadDatabase(std::string_view text) {
  const auto database = ParseNumber(text, kMaximumDatabase);
  if (!database) Refuse("the database is not a number");
  return *database;
}

Endpoint ReadHostAndPort(std::string_view text, int default_port) {
  Endpoint endpoint{"", default_port};
  std::string_view port;
  if (!text.empty() && text.front() == '[') {  // an IPv6 address
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) Refuse("the address has a [ without a ]");
    endpoint.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') Refuse("unexpected text after the address");
    if (!rest.empty()) port = rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    endpoint.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon + 1);
  }
  if (endpoint.host.empty()) Refuse("a host is missing");
  if (port.empty()) return endpoint;
  const auto number = ParseNumber(port, 65535);
  if (!number || *number == 0) Refuse("the port is not a number from 1 to 65535");
  endpoint.port = *number;
  return endpoint;
}

// Takes the login away from the front.
void TakeLogin(std::string_view& rest, RedisUrl& url) {
  // The last @ ends the login: a password with an @ in it then needs no encoding.
  const std::size_t at = rest.rfind('@');
  if (at == std::string_view::npos) return;
  ReadLogin(rest.substr(0, at), url);
  rest.remove_prefix(at + 1);
}

std::vector<Endpoint> ReadHosts(std::string_view text, int default_port) {
  std::vector<Endpoint> hosts;
  for (;;) {
    const std::size_t comma = text.find(',');
    hosts.push_back(ReadHostAndPort(text.substr(0, comma), default_port));
    if (comma == std::string_view::npos) return hosts;
    text.remove_prefix(comma + 1);
  }
}

// One server, or a cluster.
RedisUrl ParseTcp(std::string_view rest, bool cluster) {
  RedisUrl url;
  TakeLogin(rest, url);
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty()) url.database = ReadDatabase(database);
    rest = rest.substr(0, slash);
  }
  std::vector<Endpoint> hosts = ReadHosts(rest, kDefaultRedisPort);
  if (hosts.size() == 1 && !cluster) {
    url.host = hosts.front().host;
    url.port = hosts.front().port;
    return url;
  }
  if (url.database != 0) {
    Refuse("several hosts are a Redis Cluster, which has only database 0",
           "remove the database; for Sentinels write redis+sentinel://host,.../master");
  }
  url.kind = ServerKind::kCluster;
  url.hosts = std::move(hosts);
  return url;
}

RedisUrl ParseSentinel(std::string_view rest) {
  RedisUrl url;
  url.kind = ServerKind::kSentinel;
  TakeLogin(rest, url);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  url.hosts = ReadHosts(rest.substr(0, slash), kDefaultSentinelPort);
  std::string_view path = rest.substr(std::min(slash + 1, rest.size()));
  const std::size_t end = std::min(path.find('/'), path.size());
  url.master_name = path.substr(0, end);
  if (url.master_name.empty()) {
    Refuse("the name of the master is missing",
           "write redis+sentinel://host[:26379],.../master, as in `sentinel monitor master ...`");
  }
  path.remove_prefix(std::min(end + 1, path.size()));
  if (!path.empty()) url.database = ReadDatabase(path);
  return url;
}

RedisUrl ParseUnix(std::string_view rest) {
  RedisUrl url;
  const std::size_t at = rest.rfind('@');
  if (at != std::string_view::npos && !rest.starts_with('/')) {
    ReadLogin(rest.substr(0, at), url);
    rest.remove_prefix(at + 1);
  }
  const std::size_t question = rest.find('?');
  if (question != std::string_view::npos) {
    const std::string_view query = rest.substr(question + 1);
    if (!query.starts_with("db=")) Refuse("the only option of a socket is ?db=N");
    url.database = ReadDatabase(query.substr(3));
    rest = rest.substr(0, question);
  }
  if (!rest.starts_with('/')) Refuse("the path of the socket must begin with /");
  if (rest.size() > kMaximumSocketPath) {
    Refuse("the path of the socket is longer than 107 bytes", "move the socket to a shorter path");
  }
  url.socket_path = rest;
  return url;
}

}  // namespace

std::string Endpoint::ForPeople() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

RedisUrl RedisUrl::At(const Endpoint& endpoint) const {
  RedisUrl url = *this;
  url.host = endpoint.host;
  url.port = endpoint.port;
  return url;
}

bool RedisUrl::SamePlace(const RedisUrl& other) const { return ForPeople() == other.ForPeople(); }

std::string RedisUrl::ForPeople() const {
  const std::string number = std::to_string(database);
  if (!socket_path.empty()) return "unix://" + socket_path + "?db=" + number;
  std::string text = tls ? "rediss" : "redis";
  if (!host.empty()) return text + "://" + Endpoint{host, port}.ForPeople() + "/" + number;
  text += kind == ServerKind::kCluster ? "+cluster://" : "+sentinel://";
  for (std::size_t i = 0; i < hosts.size(); ++i) text += (i == 0 ? "" : ",") + hosts[i].ForPeople();
  if (kind == ServerKind::kSentinel) text += "/" + master_name + "/" + number;
  return text;
}

RedisUrl ParseRedisUrl(std::string_view text) {
  if (text.starts_with("unix://")) return ParseUnix(text.substr(7));
  const std::size_t end = text.find("://");
  const std::string_view scheme = end == std::string_view::npos ? "" : text.substr(0, end);
  const std::size_t plus = std::min(scheme.find('+'), scheme.size());
  const std::string_view protocol = scheme.substr(0, plus);
  const std::string_view kind = scheme.substr(plus);
  const bool known = (protocol == "redis" || protocol == "rediss") &&
                     (kind.empty() || kind == "+cluster" || kind == "+sentinel");
  if (!known) {
    Refuse(
        "the address does not begin with redis://, rediss://, redis+cluster://, "
        "redis+sentinel:// or unix://");
  }
  const std::string_view rest = text.substr(end + 3);
  RedisUrl url = kind == "+sentinel" ? ParseSentinel(rest) : ParseTcp(rest, kind == "+cluster");
  url.tls = protocol == "rediss";
  return url;
}

}  // namespace summa::bus_redis
