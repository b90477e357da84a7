#include "plugins/bus-redis/cluster_map.hpp"

#include <algorithm>
#include <charconv>
#include <summa/error.hpp>
#include <system_error>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

using std::chrono::milliseconds;

// A failover takes seconds: more looks find nothing new, and the nodes have other work.
constexpr milliseconds kRefreshInterval{100};
// For this long, a node that did not serve is asked after the others.
constexpr std::chrono::seconds kSuspicion{10};

Endpoint ReadNode(const redisReply& node, const std::string& asked) {
  if (!IsArray(node) || node.elements < 2) return {};
  const std::string_view host = Text(*node.element[0]);
  // A node that does not know its own address says so with nothing, and means where it was asked.
  return {host.empty() ? asked : std::string(host), static_cast<int>(node.element[1]->integer)};
}

void AddOnce(std::vector<Endpoint>& endpoints, const Endpoint& endpoint) {
  if (endpoint.host.empty() || endpoint.host == "?") return;
  if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
    endpoints.push_back(endpoint);
  }
}

}  // namespace

ClusterMap::ClusterMap(ConnectionOptions connection)
    : connection_([&] {
        connection.any_role = true;
        // Only when no node answers is something wrong: the caller that asked for a slot reports
        // it.
        connection.on_event = nullptr;
        return std::move(connection);
      }()) {}

Endpoint ClusterMap::MasterOf(int slot) {
  const MutexLock lock(mutex_);
  RefreshIfNeeded();
  const std::string address = connection_.url.ForPeople();
  if (masters_.empty()) {
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0623",
                "no node of the Redis Cluster at " + address + " answers: " + failure_,
                "start its nodes or correct plugins.bus-redis.url; the host asks again by itself");
  }
  Endpoint& master = masters_[static_cast<std::size_t>(slot)];
  if (!master.host.empty()) return master;
  stale_ = true;
  throw Error(
      SUMMA_E_UNAVAILABLE, "SH-0623",
      "no master of the Redis Cluster at " + address + " serves slot " + std::to_string(slot),
      "redis-cli --cluster check HOST:PORT names what is missing");
}

std::vector<Endpoint> ClusterMap::Masters() {
  MasterOf(0);  // throws when nothing is known
  const MutexLock lock(mutex_);
  std::vector<Endpoint> masters;
  for (const Endpoint& master : masters_) {
    if (!master.host.empty() && (masters.empty() || masters.back() != master)) {
      masters.push_back(master);
    }
  }
  std::sort(masters.begin(), masters.end());
  masters.erase(std::unique(masters.begin(), masters.end()), masters.end());
  return masters;
}

void ClusterMap::Moved(int slot, const Endpoint& master) {
  const MutexLock lock(mutex_);
  stale_ = true;
  if (masters_.empty() || slot < 0 || slot >= kHashSlots) return;
  Endpoint& known = masters_[static_cast<std::size_t>(slot)];
  if (known == master) return;
  known = master;
  AddOnce(nodes_, master);
  ++version_;
}

void ClusterMap::Suspect(const std::string& address) {
  const MutexLock lock(mutex_);
  stale_ = true;
  suspects_[address] = Clock::now();
}

std::uint64_t ClusterMap::version() {
  const MutexLock lock(mutex_);
  return version_;
}

std::vector<Endpoint> ClusterMap::Candidates() const {
  std::vector<Endpoint> candidates;
  for (const Endpoint& node : nodes_) AddOnce(candidates, node);
  for (const Endpoint& node : connection_.url.hosts) AddOnce(candidates, node);
  const auto now = Clock::now();
  std::stable_partition(candidates.begin(), candidates.end(),
                        [&](const Endpoint& node) SUMMA_REQUIRES(mutex_) {
                          const auto suspect = suspects_.find(connection_.url.At(node).ForPeople());
                          return suspect == suspects_.end() || now - suspect->second > kSuspicion;
                        });
  return candidates;
}

// Without the lock.
ClusterMap::Answers ClusterMap::AskInTurn(const std::vector<Endpoint>& nodes) {
  const MutexUnlock unlock(mutex_);
  Answers answers;
  View& found = answers.view;
  for (const Endpoint& node : nodes) {
    try {
      View view = QueryNode(node);
      // A node that was cut off from the others knows old things only.
      if (found.masters.empty() || view.healthy) found = std::move(view);
      if (found.healthy) break;
    } catch (const Error& error) {
      if (error.status() == SUMMA_E_CANCELLED) {
        answers.stopped = std::current_exception();
        break;
      }
      answers.failure = error.what();
      answers.silent.push_back(connection_.url.At(node).ForPeople());
    }
  }
  return answers;
}

// One thread looks: the others go on with what was known.
void ClusterMap::RefreshIfNeeded() {
  // Without any answer so far there is nothing to continue with.
  while (refreshing_ && masters_.empty()) refreshed_.wait(mutex_);
  if (!stale_ || refreshing_ || Clock::now() < next_refresh_) return;
  refreshing_ = true;
  Answers answers;
  try {
    answers = AskInTurn(Candidates());
  } catch (...) {  // no memory: the other threads must not wait forever
    EndRefresh();
    throw;
  }
  EndRefresh();
  if (answers.stopped) std::rethrow_exception(answers.stopped);
  failure_ = std::move(answers.failure);
  for (const std::string& address : answers.silent) suspects_[address] = Clock::now();
  View& found = answers.view;
  if (found.masters.empty()) return;
  // While the cluster is not complete, it is examined repeatedly.
  stale_ = !found.healthy;
  nodes_ = std::move(found.nodes);
  if (masters_ == found.masters) return;
  masters_ = std::move(found.masters);
  ++version_;
}

void ClusterMap::EndRefresh() {
  refreshing_ = false;
  refreshed_.notify_all();
  next_refresh_ = Clock::now() + kRefreshInterval;
}

ClusterMap::View ClusterMap::QueryNode(const Endpoint& node) const {
  ConnectionOptions options = connection_;
  options.url = options.url.At(node);
  Connection connection(std::move(options));
  connection.Ensure();
  const Connection::Deadline deadline = Connection::Clock::now() + connection_.connect_timeout;
  const auto ask = [&](std::string_view what) {
    const std::vector<std::string_view> command = {"CLUSTER", what};
    Reply reply = connection.Command(command, deadline);
    if (IsError(*reply)) {
      throw Error(SUMMA_E_UNAVAILABLE, "SH-0623",
                  "Redis at " + connection.address() + " refuses CLUSTER " + std::string(what) +
                      ": " + std::string(Text(*reply)),
                  "allow the login +cluster|slots +cluster|info");
    }
    return reply;
  };
  View view;
  view.healthy = Text(*ask("INFO")).find("cluster_state:ok") != std::string_view::npos;
  const Reply slots = ask("SLOTS");
  view.masters.resize(kHashSlots);
  for (std::size_t i = 0; i < slots->elements; ++i) {
    const redisReply& range = *slots->element[i];  // first slot, last slot, master, replicas
    if (!IsArray(range) || range.elements < 3) continue;
    const long long last = std::min<long long>(range.element[1]->integer, kHashSlots - 1);
    const Endpoint master = ReadNode(*range.element[2], node.host);
    for (long long slot = range.element[0]->integer; slot >= 0 && slot <= last; ++slot) {
      view.masters[static_cast<std::size_t>(slot)] = master;
    }
    for (std::size_t j = 2; j < range.elements; ++j) {
      AddOnce(view.nodes, ReadNode(*range.element[j], node.host));
    }
  }
  AddOnce(view.nodes, node);
  return view;
}

Redirection ReadRedirection(std::string_view text, const std::string& from) {
  Redirection redirection;
  const std::string_view word = ServerErrorWord(text);
  const bool moved = word == "MOVED";
  if (!moved && word != "ASK") return redirection;
  std::string_view rest = text.substr(std::min(word.size() + 1, text.size()));
  const char* end = rest.data() + rest.size();
  const auto [after_slot, no_slot] = std::from_chars(rest.data(), end, redirection.slot);
  const std::size_t colon = rest.rfind(':');  // an IPv6 address has colons of its own
  const std::size_t space = rest.find(' ');
  if (no_slot != std::errc{} || space == std::string_view::npos ||
      colon == std::string_view::npos || colon < space)
    return {};
  const std::string_view host = rest.substr(space + 1, colon - space - 1);
  redirection.to.host = host.empty() ? from : std::string(host);
  const auto [after_port, no_port] =
      std::from_chars(rest.data() + colon + 1, end, redirection.to.port);
  if (no_port != std::errc{}) return {};
  redirection.kind = moved ? Redirection::Kind::kMoved : Redirection::Kind::kAsk;
  return redirection;
}

}  // namespace summa::bus_redis
