#include "host/database/url_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace summa::host {
namespace {

// A parameter and where it stands in the text: [begin, end).
struct Place {
  std::string name, value;
  std::size_t begin = 0, end = 0;
};

bool Blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool IsUri(std::string_view url) { return url.find("://") != std::string_view::npos; }

// ?name=value&name=value; values as they are written.
std::vector<Place> PlacesInUri(std::string_view url) {
  std::vector<Place> places;
  // An @ behind the ? means that the ? belongs to the password.
  const std::size_t at = url.rfind('@');
  const std::size_t query = url.find('?', at == std::string_view::npos ? 0 : at);
  if (query == std::string_view::npos) return places;
  for (std::size_t begin = query + 1; begin < url.size();) {
    const std::size_t end = std::min(url.find('&', begin), url.size());
    const std::string_view pair = url.substr(begin, end - begin);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    places.push_back({std::string(pair.substr(0, equals)), std::string(value), begin, end});
    begin = end + 1;
  }
  return places;
}

// name = value name='it\'s'
std::vector<Place> PlacesInPairs(std::string_view text) {
  std::vector<Place> places;
  std::size_t at = 0;
  const auto skip = [&] {
    while (at < text.size() && Blank(text[at])) ++at;
  };
  for (skip(); at < text.size(); skip()) {
    Place place;
    place.begin = at;
    while (at < text.size() && text[at] != '=' && !Blank(text[at])) place.name += text[at++];
    skip();
    if (at >= text.size() || text[at] != '=') return places;  // libpq says that it is broken
    ++at;
    skip();
    const bool quoted = at < text.size() && text[at] == '\'';
    if (quoted) ++at;
    while (at < text.size() && (quoted ? text[at] != '\'' : !Blank(text[at]))) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      place.value += text[at++];
    }
    if (quoted) ++at;
    place.end = std::min(at, text.size());
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<Place> Places(std::string_view url) {
  return IsUri(url) ? PlacesInUri(url) : PlacesInPairs(url);
}

struct Advice {
  std::string_view name, text;
};

constexpr std::string_view kSession =
    "Remove it: the host sets the limits and settings of its sessions itself";
constexpr std::string_view kPool =
    "Remove it and set database.ledger.pool: the maximum number of sessions for plugins";
constexpr std::string_view kSchema = "Remove it and set database.ledger.schema";
constexpr std::string_view kPooler =
    "Remove it. It tells Prisma not to use prepared statements; a pooler works here if it keeps "
    "one server connection per client (docs/operate.md, Poolers)";
constexpr std::string_view kTls = "Remove it and write sslmode=require, or sslmode=disable";

constexpr std::array<Advice, 30> kAdvice = {{
    {"schema", kSchema},
    {"currentSchema", kSchema},
    {"search_path", kSchema},
    {"pgbouncer", kPooler},
    {"connection_limit", kPool},
    {"pool", kPool},
    {"pool_size", kPool},
    {"max", kPool},
    {"pool_timeout", kPool},
    {"maxPoolSize", kPool},
    {"ssl", kTls},
    {"tls", kTls},
    {"sslaccept",
     "Remove it and write sslmode=verify-full for strict, sslmode=require for "
     "accept_invalid_certs"},
    {"sslidentity", "Remove it and write sslcert=FILE and sslkey=FILE"},
    {"uselibpqcompat", "Remove it: sslmode means here what it means to libpq"},
    {"socket_timeout", kSession},
    {"statement_cache_size", kSession},
    {"prepareThreshold", kSession},
    {"prepare_threshold", kSession},
    {"statement_timeout", kSession},
    {"lock_timeout", kSession},
    {"query_timeout", kSession},
    {"idle_in_transaction_session_timeout", kSession},
    {"connectionTimeoutMillis", "Write connect_timeout=SECONDS"},
    {"connectTimeout", "Write connect_timeout=SECONDS"},
    {"sslfactory", kTls},
    {"applicationName", "Write application_name=NAME"},
    {"ApplicationName", "Write application_name=NAME"},
    {"targetServerType", "Write target_session_attrs=read-write"},
    {"loadBalanceHosts", "Write load_balance_hosts=random"},
}};

constexpr std::array<Advice, 9> kTlsModes = {{
    {"no-verify", "require"},
    {"allow-invalid", "require"},
    {"required", "require"},
    {"true", "require"},
    {"on", "require"},
    {"1", "require"},
    {"disabled", "disable"},
    {"false", "disable"},
    {"preferred", "prefer"},
}};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return c == '_' ? '-' : static_cast<char>(std::tolower(c));
  });
  return lower;
}

}  // namespace

std::vector<std::string> ParameterNames(std::string_view url) {
  std::vector<std::string> names;
  for (Place& place : Places(url)) names.push_back(std::move(place.name));
  return names;
}

std::optional<std::string> TakeParameter(std::string& url, std::string_view name) {
  std::optional<std::string> value;
  std::vector<Place> places = Places(url);
  std::reverse(places.begin(), places.end());
  for (const Place& place : places) {
    if (place.name != name) continue;
    if (!value) value = place.value;  // the last one holds
    const bool more = IsUri(url) && place.end < url.size();
    url.erase(place.begin, place.end - place.begin + (more ? 1 : 0));
  }
  while (IsUri(url) && value && (url.ends_with('?') || url.ends_with('&'))) url.pop_back();
  return value;
}

std::string ForeignScheme(std::string_view url) {
  const std::size_t end = url.find("://");
  if (end == std::string_view::npos || end > 30) return {};
  const std::string_view scheme = url.substr(0, end);
  const bool is_scheme = std::all_of(scheme.begin(), scheme.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '+' || c == '-' || c == '.' || c == ':';
  });
  if (!is_scheme || scheme == "postgresql" || scheme == "postgres") return {};
  return std::string(scheme);
}

std::string AdviceForScheme(std::string_view scheme) {
  const std::string lower = Lower(scheme);
  if (scheme.starts_with("jdbc:")) {
    return "Remove jdbc: and write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, user and "
           "password before the host";
  }
  if (lower.starts_with("prisma")) {
    return "It points to a service of Prisma; write postgresql://USER@HOST:PORT/DATABASE of the "
           "PostgreSQL server itself";
  }
  if (const std::size_t plus = lower.find('+');
      plus != std::string::npos && lower.starts_with("postgres")) {
    return "Remove +" + std::string(scheme.substr(plus + 1)) +
           ", which names a driver: write postgresql://USER@HOST:PORT/DATABASE";
  }
  if (lower == "postgresql" || lower == "postgres") return "Write " + lower + " in lower case";
  return "Write postgresql://USER@HOST:PORT/DATABASE";
}

// With one @, before the first / and ?, it is where it belongs.
bool PasswordMayBeElsewhere(std::string_view url) {
  if (!IsUri(url)) return true;
  url.remove_prefix(url.find("://") + 3);
  const std::size_t at = url.find('@');
  return at == std::string_view::npos || at != url.rfind('@') || url.find('/') < at ||
         url.find('?') < at;
}

std::string AdviceFor(std::string_view parameter) {
  for (const auto& [name, text] : kAdvice) {
    if (name == parameter) return std::string(text);
  }
  return "Remove it, or correct its name: the libpq of this machine does not know this parameter";
}

std::string AdviceForValue(std::string_view parameter, std::string_view value) {
  if (parameter != "sslmode") return {};
  for (const auto& [name, instead] : kTlsModes) {
    if (name == Lower(value)) return "Write sslmode=" + std::string(instead);
  }
  const std::string lower = Lower(value);
  if (lower == "verify-ca" || lower == "verify-full") return "Write sslmode=" + lower;
  return {};
}

}  // namespace summa::host
