#include "host/database/open_connection.hpp"

#include <algorithm>
#include <map>
#include <random>

#include "host/database/connection_settings.hpp"
#include "host/database/known_servers.hpp"
#include "host/database/renewed_url.hpp"
#include "host/database/resolve.hpp"
#include "host/database/server_watch.hpp"

namespace summa::host {
namespace {

using TimePoint = PqConnection::TimePoint;

// A URL may allow more, but a thread that connects for longer is of no use.
constexpr std::chrono::seconds kLongestConnecting{60};

struct Address {
  DatabaseUrl::Host host;  // with a numeric address, when its name was resolved
  std::string text;        // for people, and the key of what is remembered
};

std::mt19937& Random() {
  thread_local std::mt19937 random{std::random_device{}()};
  return random;
}

bool IsSocket(const std::string& name) { return name.starts_with('/') || name.starts_with('@'); }

std::string TextOf(const DatabaseUrl::Host& host) {
  std::string text = host.name.empty() ? host.address : host.name;
  if (IsSocket(host.name)) return text + "/.s.PGSQL." + (host.port.empty() ? "5432" : host.port);
  if (text.empty()) text = "the default socket";
  if (!host.address.empty() && host.address != host.name && !host.name.empty()) {
    text += " (" + host.address + ")";
  }
  return text + ":" + (host.port.empty() ? "5432" : host.port);
}

// The result of each attempt, for one message.
class Attempts {
 public:
  void Add(const std::string& address, const SqlFailure& failure) {
    AddText(address, failure.error().message);
    last_ = failure;
    const std::string& code = failure.error().code;
    if (code == "SH-0424" || (code == "SH-0423" && !no_primary_)) {
      no_primary_ = failure;
    } else if (code != "SH-0423") {
      away_ = failure;
    }
  }
  void AddText(const std::string& address, const std::string& why) {
    ++count_;
    text_ += (text_.empty() ? "" : "; ") + address + ": " + why;
  }
  // A single failure of a single address needs no list.
  [[noreturn]] void Throw() const {
    if (count_ == 1 && last_) throw SqlFailure(*last_);
    if (no_primary_) {
      const Error& error = no_primary_->error();
      throw SqlFailure(Error{error.code, "no server of the database URL is the primary: " + text_,
                             error.hint, ""},
                       "");
    }
    throw SqlFailure(Error{"SH-0401", "no connection to PostgreSQL: " + text_,
                           away_ ? away_->error().hint : kReachableHint, ""},
                     away_ ? away_->sqlstate() : "");
  }

 private:
  std::string text_;
  int count_ = 0;
  std::optional<SqlFailure> last_, away_;
  std::optional<SqlFailure> no_primary_;  // of a standby or, rather, of an old primary
};

class Opener {
 public:
  Opener(const DatabaseSettings& settings, bool read_only, WakeUp& wake,
         PqConnection::OnWake on_wake, TimePoint deadline)
      : settings_(settings),
        url_(ReadDatabaseUrl(NewestUrl(settings.url), settings.must_write)),
        read_only_(read_only),
        wake_(wake),
        on_wake_(on_wake),
        deadline_(deadline) {}

  OpenedConnection Open() {
    const std::vector<Address> addresses = Addresses();
    if (url_.target == TargetServer::kPreferStandby && !settings_.must_write) {
      if (auto opened = TryAll(addresses, TargetServer::kStandby)) return std::move(*opened);
    }
    if (auto opened = TryAll(addresses, url_.target)) return std::move(*opened);
    attempts_.Throw();
  }

 private:
  std::vector<Address> Addresses() {
    std::vector<DatabaseUrl::Host> hosts = url_.hosts;
    if (url_.shuffle) std::shuffle(hosts.begin(), hosts.end(), Random());
    std::vector<Address> addresses;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      // One name must not use up the time of the others, nor the time to connect.
      Expand(hosts[i], Share(2 * (hosts.size() - i)), addresses);
    }
    std::map<std::string, int> rank;
    for (const Address& each : addresses) {
      rank[each.text] = KnownServers::Of().Rank(settings_.url, each.text, url_.shuffle);
    }
    std::stable_sort(addresses.begin(), addresses.end(), [&](const Address& a, const Address& b) {
      return rank[a.text] < rank[b.text];
    });
    return addresses;
  }

  void Expand(const DatabaseUrl::Host& host, TimePoint until, std::vector<Address>& addresses) {
    if (!host.address.empty() || host.name.empty() || IsSocket(host.name)) {
      addresses.push_back({host, TextOf(host)});
      return;
    }
    Resolved resolved = Resolve(host.name, wake_, until);
    if (url_.shuffle) {
      std::shuffle(resolved.addresses.begin(), resolved.addresses.end(), Random());
    }
    if (resolved.addresses.empty()) attempts_.AddText(TextOf(host), resolved.trouble);
    for (const std::string& address : resolved.addresses) {
      const DatabaseUrl::Host one{host.name, address, host.port};
      addresses.push_back({one, TextOf(one)});
    }
  }

  TimePoint Share(std::size_t parts) const {
    const auto now = std::chrono::steady_clock::now();
    return now +
           (std::max(deadline_, now) - now) / static_cast<int>(std::max<std::size_t>(parts, 1));
  }

  std::optional<OpenedConnection> TryAll(const std::vector<Address>& addresses,
                                         TargetServer target) {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      if (auto opened = Try(addresses[i], target, Share(addresses.size() - i))) return opened;
      if (on_wake_ == PqConnection::OnWake::kGiveUp && wake_.signalled()) break;
    }
    return std::nullopt;
  }

  std::optional<OpenedConnection> Try(const Address& address, TargetServer target,
                                      TimePoint until) {
    if (url_.connect_timeout) {
      until = std::min(until, std::chrono::steady_clock::now() + *url_.connect_timeout);
    }
    const ConnectionParameters parameters =
        MakeConnectionParameters(settings_, url_.parameters, address.host);
    try {
      OpenedConnection opened;
      opened.connection = std::make_unique<PqConnection>(parameters, wake_, on_wake_, until);
      opened.identity = Identify(*opened.connection, {settings_, parameters, read_only_, until});
      opened.identity.server_name = address.text;
      RequireTarget(opened.identity, target);
      Remember(address, opened.identity);
      opened.connection->Watch(std::make_unique<ServerWatch>(settings_, address.text, parameters,
                                                             opened.identity.server));
      return opened;
    } catch (const SqlFailure& failure) {
      KnownServers::Of().Failed(settings_.url, address.text,
                                std::chrono::steady_clock::now() >= until);
      // No other address helps against these.
      if (failure.error().code == "SH-0420" || failure.error().code == "SH-0406") throw;
      attempts_.Add(address.text, failure);
      return std::nullopt;
    }
  }

  void Remember(const Address& address, const BackendIdentity& identity) const {
    KnownServers& known = KnownServers::Of();
    if (!settings_.must_write) {
      known.Good(settings_.url, address.text);
    } else if (const auto later = known.GoodPrimary(settings_.url, address.text, identity)) {
      throw ServerIsOldPrimary(identity.history->timeline, *later);
    }
  }

  void RequireTarget(const BackendIdentity& identity, TargetServer target) const {
    const bool standby = identity.in_recovery;
    if (settings_.must_write && standby) throw ServerIsStandby("");
    const bool read_only = standby || identity.read_only_by_default;
    const auto refuse = [](const std::string& what) {
      throw SqlFailure(Error{"SH-0401", what + " (target_session_attrs)", kReachableHint, ""}, "");
    };
    if (target == TargetServer::kReadWrite && read_only) refuse("the server accepts no writes");
    if (target == TargetServer::kReadOnly && !read_only) refuse("the server accepts writes");
    if (target == TargetServer::kPrimary && standby) refuse("the server is a standby");
    if (target == TargetServer::kStandby && !standby) refuse("the server is not a standby");
  }

  const DatabaseSettings& settings_;
  const DatabaseUrl url_;
  const bool read_only_;
  WakeUp& wake_;
  const PqConnection::OnWake on_wake_;
  const TimePoint deadline_;
  Attempts attempts_;
};

}  // namespace

OpenedConnection OpenConnection(const DatabaseSettings& settings, bool read_only, WakeUp& wake,
                                PqConnection::OnWake on_wake, TimePoint deadline) {
  return Opener(settings, read_only, wake, on_wake, deadline).Open();
}

TimePoint ConnectDeadline(const DatabaseSettings& settings) {
  const DatabaseUrl url = ReadDatabaseUrl(NewestUrl(settings.url), settings.must_write);
  Microseconds longest = settings.connect_timeout;
  if (url.connect_timeout) {
    longest = std::max<Microseconds>(
        longest, *url.connect_timeout * static_cast<std::int64_t>(url.hosts.size()));
  }
  return std::chrono::steady_clock::now() +
         std::max(std::min<Microseconds>(longest, kLongestConnecting), settings.connect_timeout);
}

}  // namespace summa::host
