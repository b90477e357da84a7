#include "host/database/database_url.hpp"

#include <libpq-fe.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string_view>
#include <system_error>

#include "host/database/connection_settings.hpp"
#include "host/database/pq_connection.hpp"
#include "host/database/sql_error.hpp"
#include "host/database/url_mistakes.hpp"
#include "host/database/url_text.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

constexpr const char* kBalance = "load_balance_hosts";  // libpq knows it since 16
constexpr const char* kBalanceVariable = "PGLOADBALANCEHOSTS";
constexpr const char* kTarget = "target_session_attrs";
constexpr const char* kSlips = "text that may contain the password";  // no keyword of libpq

struct Enumeration {
  const char* parameter;
  std::vector<std::string_view> values;
};
const std::vector<Enumeration>& Enumerations() {
  static const auto& known = *new std::vector<Enumeration>{
      {"sslmode", {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
      {"gssencmode", {"disable", "prefer", "require"}},
      {"channel_binding", {"disable", "prefer", "require"}},
      {kTarget, {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
      {kBalance, {"disable", "random"}},
  };
  return known;
}
constexpr std::string_view kNumbers[] = {"connect_timeout",  "keepalives",
                                         "keepalives_idle",  "keepalives_interval",
                                         "keepalives_count", "tcp_user_timeout"};

std::optional<int> ToNumber(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  int number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

ConnectionParameters ToParameters(const PQconninfoOption* option) {
  ConnectionParameters parameters;
  for (; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val != nullptr && option->val[0] != '\0') {
      parameters.emplace_back(option->keyword, option->val);
    }
  }
  return parameters;
}

// Everything that libpq would use, with what stands in its variables and service files. A value
// that it refuses keeps it from going further than reading.
ConnectionParameters Effective(ConnectionParameters parameters) {
  Set(parameters, "gssencmode", "read only");
  const PgConnection connection = StartConnecting(parameters);
  const Options options(PQconninfo(connection.get()), &PQconninfoFree);
  ConnectionParameters effective = ToParameters(options.get());
  std::erase_if(effective, [](const auto& each) { return each.first == "gssencmode"; });
  return effective;
}

// A socket of this process that takes a connection and never answers.
class Listener {
 public:
  Listener() : descriptor_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    static std::atomic<unsigned> number{0};
    name_ = "@summa-host-" + std::to_string(getpid()) + "-" + std::to_string(++number);
    const std::string path = name_ + "/.s.PGSQL.1";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, path.data() + 1, path.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    ready_ = descriptor_ >= 0 &&
             bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
             listen(descriptor_, 1) == 0;
  }
  ~Listener() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  bool ready() const { return ready_; }
  const std::string& name() const { return name_; }

 private:
  int descriptor_;
  std::string name_;
  bool ready_ = false;
};

// What libpq says to everything but hosts and ports; empty: it would connect.
std::string LibpqRefuses(ConnectionParameters parameters) {
  const Listener listener;
  if (!listener.ready() || std::getenv("PGHOSTADDR") != nullptr) return {};
  std::erase_if(parameters, [](const auto& each) { return each.first == "hostaddr"; });
  Set(parameters, "host", listener.name());
  Set(parameters, "port", "1");
  const PgConnection connection = StartConnecting(parameters);
  if (PQstatus(connection.get()) != CONNECTION_BAD) return {};
  return OneLine(PQerrorMessage(connection.get()));
}

// The environment variable that a value comes from; empty: it is the URL's own.
std::string VariableOf(const ConnectionParameters& given, const std::string& keyword) {
  if (!Get(given, keyword).empty()) return {};
  const Options defaults(PQconndefaults(), &PQconninfoFree);
  for (const auto* option = defaults.get(); option != nullptr && option->keyword != nullptr;
       ++option) {
    if (keyword != option->keyword || option->envvar == nullptr) continue;
    return std::getenv(option->envvar) == nullptr ? std::string() : option->envvar;
  }
  return keyword == kBalance ? kBalanceVariable : std::string();
}

Error InUrlOrVariable(const std::string& variable, const std::string& found,
                      const std::string& fix) {
  if (variable.empty()) return {"SH-0227", "in the database URL, " + found, fix, ""};
  return {"SH-0228",
          "the environment variable " + variable + " gives the database URL a value: " + found,
          "Unset " + variable + ", or: " + fix, ""};
}

// Of the URL, only what cannot be a piece of a password that was not escaped.
Error WrongValue(const ConnectionParameters& given, const std::string& parameter,
                 const std::string& value, const std::string& expected) {
  const std::string variable = VariableOf(given, parameter);
  const std::string advice = AdviceForValue(parameter, value);
  const bool shown = !variable.empty() || Get(given, kSlips).empty();
  const std::string fix = (advice.empty() ? "Write " + expected : advice) +
                          (shown ? "" : "; special characters of the password as %XX");
  const std::string found =
      parameter + (shown ? " is \"" + value + "\", which is not " : " is not ") + expected;
  return InUrlOrVariable(variable, found, fix);
}

std::optional<Error> CheckPorts(const ConnectionParameters& given,
                                const ConnectionParameters& effective) {
  const auto hosts = GetList(effective, "host"), addresses = GetList(effective, "hostaddr"),
             ports = GetList(effective, "port");
  for (const std::string& port : ports) {
    if (port.empty()) continue;  // the default
    const auto number = ToNumber(port);
    if (number && *number >= 1 && *number <= 65535) continue;
    return WrongValue(given, "port", port, "a number from 1 to 65535");
  }
  const bool named = !Get(effective, "host").empty(),
             addressed = !Get(effective, "hostaddr").empty();
  const std::size_t count = addressed ? addresses.size() : hosts.size();
  const auto differ = [](const std::string& what) {
    return Error{"SH-0227", "the database URL names " + what,
                 "Give one for each host, or one for all (ports only)", ""};
  };
  if (named && addressed && hosts.size() != addresses.size()) {
    return differ(std::to_string(hosts.size()) + " hosts and " + std::to_string(addresses.size()) +
                  " addresses (hostaddr)");
  }
  if (ports.size() > 1 && ports.size() != count) {
    return differ(std::to_string(count) + " hosts and " + std::to_string(ports.size()) + " ports");
  }
  return std::nullopt;
}

std::optional<Error> CheckValues(const ConnectionParameters& given,
                                 const ConnectionParameters& effective) {
  for (const Enumeration& each : Enumerations()) {
    const std::string value = Get(effective, each.parameter);
    const bool known =
        std::find(each.values.begin(), each.values.end(), value) != each.values.end();
    if (value.empty() || known) continue;
    std::string expected = "one of ";
    for (const std::string_view one : each.values) {
      expected.append(one == each.values.front() ? "" : ", ").append(one);
    }
    return WrongValue(given, each.parameter, value, expected);
  }
  for (const std::string_view name : kNumbers) {
    const std::string parameter(name), value = Get(effective, parameter);
    if (!value.empty() && !ToNumber(value)) {
      return WrongValue(given, parameter, value, "a whole number");
    }
  }
  return CheckPorts(given, effective);
}

TargetServer ToTarget(const std::string& word) {
  if (word == "read-write") return TargetServer::kReadWrite;
  if (word == "read-only") return TargetServer::kReadOnly;
  if (word == "primary") return TargetServer::kPrimary;
  if (word == "standby") return TargetServer::kStandby;
  return word == "prefer-standby" ? TargetServer::kPreferStandby : TargetServer::kAny;
}

// The parameters of a URL: what it gives itself, and all that counts.
struct Read {
  ConnectionParameters given, effective;
};

// libpq quotes parts of the text, and a mistake can make the password one of them: the text is
// shown only up to there.
Error Unreadable(const std::string& words) {
  std::string shown = words.substr(0, words.find('"'));
  while (!shown.empty() && (shown.back() == ' ' || shown.back() == ':')) shown.pop_back();
  if (shown.find(' ') == std::string::npos) shown.clear();  // "missing", and no more
  return {"SH-0418",
          "the database URL is not a valid connection string of PostgreSQL" +
              (shown.empty() ? "" : ": " + shown),
          "Write postgresql://USER@HOST:PORT/DATABASE, with special characters of the password as "
          "%XX; the URL is not shown here because it may contain the password",
          ""};
}

std::optional<Error> CheckNames(const std::string& url) {
  if (const std::string scheme = ForeignScheme(url); !scheme.empty()) {
    return Error{"SH-0418", "the database URL begins with " + scheme + "://",
                 AdviceForScheme(scheme), ""};
  }
  const Options known(PQconndefaults(), &PQconninfoFree);
  if (!known) return std::nullopt;  // a service file that cannot be read: said later
  for (const std::string& name : ParameterNames(url)) {
    bool found = name == kBalance;
    for (const auto* option = known.get(); option->keyword != nullptr; ++option) {
      found |= name == option->keyword;
    }
    // A JDBC parameter; libpq accepts exactly this one.
    const bool jdbc = name == "ssl" && url.find("ssl=true") != std::string::npos;
    if (found || jdbc) continue;
    const bool shown = !name.empty() && name.size() <= 64 &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
                       });
    if (!shown) continue;  // libpq refuses it
    return Error{"SH-0226", "the database URL has a parameter that libpq does not know: " + name,
                 AdviceFor(name), ""};
  }
  return std::nullopt;
}

std::optional<Error> ReadParameters(std::string url, Read& read) {
  if (auto error = CheckNames(url)) return error;
  const std::optional<std::string> balance = TakeParameter(url, kBalance);
  char* message = nullptr;
  const Options options(PQconninfoParse(url.c_str(), &message), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> words(message, &PQfreemem);
  if (!options) return Unreadable(OneLine(message));
  read.given = ToParameters(options.get());
  read.effective = Effective(read.given);
  if (PasswordMayBeElsewhere(url)) Set(read.given, kSlips, "yes");
  const char* variable = std::getenv(kBalanceVariable);
  if (balance) Set(read.given, kBalance, *balance);
  if (balance || variable != nullptr) Set(read.effective, kBalance, balance ? *balance : variable);
  if (auto error = CheckValues(read.given, read.effective)) return error;
  if (const auto mistake = FindUrlMistake(read.given, read.effective)) {
    return InUrlOrVariable(VariableOf(read.given, mistake->parameter), mistake->found,
                           mistake->fix);
  }
  std::erase_if(read.given, [](const auto& each) { return each.first == kSlips; });
  ConnectionParameters rest = read.given;
  std::erase_if(rest, [](const auto& each) { return each.first == kBalance; });
  const std::string refused = LibpqRefuses(rest);
  if (refused.empty()) return std::nullopt;
  return Error{"SH-0227", "libpq refuses the database URL: " + WithoutPassword(refused, read.given),
               "Correct the parameter that libpq names, or the variable or service file it comes "
               "from",
               ""};
}

std::optional<Error> CheckTarget(const Read& read, bool must_write) {
  const std::string target = Get(read.effective, kTarget);
  if (!must_write || (target != "standby" && target != "read-only")) return std::nullopt;
  return Error{
      "SH-0229",
      "the database URL asks for a server that accepts no writes (target_session_attrs=" + target +
          "), but the host must write to the ledger",
      "Write target_session_attrs=read-write, or remove it: the host finds the primary by itself",
      ""};
}

DatabaseUrl ReadUncached(const std::string& url, bool must_write) {
  Read read;
  auto error = ReadParameters(url, read);
  if (!error) error = CheckTarget(read, must_write);
  if (error) throw SqlFailure(*error, "");
  DatabaseUrl result;
  const bool addressed = !Get(read.effective, "hostaddr").empty();
  const auto names = GetList(read.effective, "host"),
             addresses = GetList(read.effective, "hostaddr"),
             ports = GetList(read.effective, "port");
  for (std::size_t i = 0; i < (addressed ? addresses.size() : names.size()); ++i) {
    result.hosts.push_back({i < names.size() ? names[i] : "", addressed ? addresses[i] : "",
                            ports.size() == 1 ? ports[0] : ports.at(i)});
  }
  result.target = ToTarget(Get(read.effective, kTarget));
  result.shuffle = Get(read.effective, kBalance) == "random";
  const auto timeout = ToNumber(Get(read.effective, "connect_timeout"));
  if (timeout && *timeout > 0) result.connect_timeout = std::chrono::seconds(*timeout);
  result.parameters = std::move(read.given);
  std::erase_if(result.parameters, [](const auto& each) {
    return each.first == "host" || each.first == "hostaddr" || each.first == "port" ||
           each.first == kBalance || each.first == kTarget;
  });
  return result;
}

}  // namespace

std::string Get(const ConnectionParameters& parameters, std::string_view key) {
  for (const auto& [name, value] : parameters) {
    if (name == key) return value;
  }
  return {};
}

std::vector<std::string> GetList(const ConnectionParameters& parameters, std::string_view key) {
  std::vector<std::string> parts(1);
  for (const char c : Get(parameters, key)) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

void Set(ConnectionParameters& parameters, const std::string& key, const std::string& value) {
  for (auto& [name, old] : parameters) {
    if (name == key) {
      old = value;
      return;
    }
  }
  parameters.emplace_back(key, value);
}

std::optional<Error> CheckDatabaseUrl(const std::string& url, bool must_write) {
  Read read;
  if (auto error = ReadParameters(url, read)) return error;
  return CheckTarget(read, must_write);
}

DatabaseUrl ReadDatabaseUrl(const std::string& url, bool must_write) {
  static Mutex mutex;
  static auto& known = *new std::map<std::pair<std::string, bool>, DatabaseUrl>;
  const MutexLock lock(mutex);
  const auto found = known.find({url, must_write});
  if (found != known.end()) return found->second;
  return known.emplace(std::pair(url, must_write), ReadUncached(url, must_write)).first->second;
}

}  // namespace summa::host
