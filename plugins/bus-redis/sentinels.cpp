#include "plugins/bus-redis/sentinels.hpp"

#include <algorithm>
#include <charconv>
#include <summa/error.hpp>
#include <utility>

namespace summa::bus_redis {
namespace {

// A master that was cut off from the Sentinels would accept messages that are lost when it returns.
constexpr std::chrono::seconds kLatest{2};

ConnectionOptions OptionsOf(ConnectionOptions options,
                            std::shared_ptr<const RenewableLogin> login) {
  options.url.kind = ServerKind::kSentinel;
  options.login = std::move(login);
  options.url.database = 0;
  options.to_sentinel = true;
  options.on_event = nullptr;  // the connection that asked reports that none answers
  return options;
}

}  // namespace

Sentinels::Sentinels(ConnectionOptions connection, std::shared_ptr<const RenewableLogin> login)
    : connection_(OptionsOf(std::move(connection), std::move(login))),
      sentinels_(connection_.url.hosts) {}

Endpoint Sentinels::Master(bool doubted) {
  const MutexLock lock(mutex_);
  // During a failover the Sentinels learn of the new master one after the other.
  if (doubted) std::rotate(sentinels_.begin(), sentinels_.begin() + 1, sentinels_.end());
  return QueryAll();
}

Endpoint Sentinels::LatestMaster() {
  const MutexLock lock(mutex_);
  if (Clock::now() - asked_ < kLatest) return master_;
  try {
    return QueryAll();
  } catch (const Error& error) {
    if (error.status() == SUMMA_E_CANCELLED) throw;
    asked_ = Clock::now();
    return master_;
  }
}

std::string Sentinels::answered() {
  const MutexLock lock(mutex_);
  return answered_ ? sentinels_.front().ForPeople() : std::string();
}

Endpoint Sentinels::QueryAll() {
  std::string failures;
  for (std::size_t i = 0; i < sentinels_.size(); ++i) {
    try {
      master_ = QuerySentinel(sentinels_[i]);
      asked_ = Clock::now();
      answered_ = true;
      std::rotate(sentinels_.begin(), sentinels_.begin() + static_cast<std::ptrdiff_t>(i),
                  sentinels_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      return master_;
    } catch (const Error& error) {
      if (error.status() == SUMMA_E_CANCELLED) throw;
      failures.append(failures.empty() ? "" : "; ").append(error.what());
    }
  }
  answered_ = false;
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0626",
              "no Sentinel names the master " + connection_.url.master_name + ": " + failures,
              "start the Sentinels, or correct hosts and name in plugins.bus-redis.url; the host "
              "asks again by itself");
}

Endpoint Sentinels::QuerySentinel(const Endpoint& sentinel) const {
  ConnectionOptions options = connection_;
  options.url = options.url.At(sentinel);
  Connection connection(std::move(options));
  connection.Ensure();
  const std::vector<std::string_view> command = {"SENTINEL", "get-master-addr-by-name",
                                                 connection_.url.master_name};
  const Reply reply =
      connection.Command(command, Connection::Clock::now() + connection_.connect_timeout);
  const auto fail = [&](const std::string& why) {
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0626", "Sentinel at " + sentinel.ForPeople() + ": " + why);
  };
  if (IsError(*reply)) fail(std::string(Text(*reply)));
  if (!IsArray(*reply) || reply->elements != 2) fail("it watches no master of this name");
  Endpoint master{std::string(Text(*reply->element[0])), 0};
  const std::string_view port = Text(*reply->element[1]);
  std::from_chars(port.data(), port.data() + port.size(), master.port);
  return master;
}

}  // namespace summa::bus_redis
