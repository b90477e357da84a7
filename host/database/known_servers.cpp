#include "host/database/known_servers.hpp"

namespace summa::host {

KnownServers& KnownServers::Of() {
  static auto* const known = new KnownServers;  // threads may connect while the process ends
  return *known;
}

void KnownServers::Good(const std::string& url, const std::string& address) {
  const MutexLock lock(mutex_);
  known_[url].good = address;
  known_[url].failed.erase(address);
}

std::optional<std::uint32_t> KnownServers::GoodPrimary(const std::string& url,
                                                       const std::string& address,
                                                       const BackendIdentity& primary) {
  const MutexLock lock(mutex_);
  Known& known = known_[url];
  if (primary.history) {
    const bool same_system = known.history && known.history->system == primary.history->system;
    if (same_system && primary.history->timeline < known.history->timeline) {
      return known.history->timeline;
    }
    known.history = primary.history;
  }
  known.primary = primary.server;
  known.good = address;
  known.failed.erase(address);
  return std::nullopt;
}

void KnownServers::Failed(const std::string& url, const std::string& address, bool hung) {
  const MutexLock lock(mutex_);
  known_[url].failed[address] = hung;
}

void KnownServers::RecordSilence(const std::string& url, const std::string& address) {
  const MutexLock lock(mutex_);
  Known& known = known_[url];
  known.failed[address] = true;
  ++known.silences[address];
}

int KnownServers::Rank(const std::string& url, const std::string& address, bool shuffled) const {
  const MutexLock lock(mutex_);
  const auto found = known_.find(url);
  if (found == known_.end()) return 1;
  const Known& known = found->second;
  const bool good = known.good == address && !shuffled;
  const auto failure = known.failed.find(address);
  if (failure == known.failed.end()) return good ? 0 : 1;
  if (failure->second) return 4;  // the others pay for its time
  return good ? 2 : 3;
}

std::uint64_t KnownServers::Silences(const std::string& url, const std::string& address) const {
  const MutexLock lock(mutex_);
  const auto found = known_.find(url);
  if (found == known_.end()) return 0;
  const auto silences = found->second.silences.find(address);
  return silences == found->second.silences.end() ? 0 : silences->second;
}

std::optional<ServerLife> KnownServers::Primary(const std::string& url) const {
  const MutexLock lock(mutex_);
  const auto found = known_.find(url);
  return found == known_.end() ? std::nullopt : found->second.primary;
}

}  // namespace summa::host
