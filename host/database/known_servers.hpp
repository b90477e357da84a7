// What was learned about the servers of a database URL, by every connection of this process: which
// one was good last, which refused, which is silent. Thread-safe. Only for host/database.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "host/database/backend_identity.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class KnownServers {
 public:
  static KnownServers& Of();

  // A connection to it is open and will do.
  void Good(const std::string& url, const std::string& address);
  // The same, to a server that must take writes. Not nullopt: it will not do, a promotion left it
  // behind; the later timeline that is known.
  std::optional<std::uint32_t> GoodPrimary(const std::string& url, const std::string& address,
                                           const BackendIdentity& primary);
  // No connection; `hung`: it let the time pass without an answer.
  void Failed(const std::string& url, const std::string& address, bool hung);
  // It answers neither its connections nor new ones: all that it has are worth nothing.
  void RecordSilence(const std::string& url, const std::string& address);

  // 0: try it first; 4: last. With a shuffled URL none is the first.
  int Rank(const std::string& url, const std::string& address, bool shuffled) const;
  // How often it has fallen silent so far.
  std::uint64_t Silences(const std::string& url, const std::string& address) const;
  // The server that took writes last.
  std::optional<ServerLife> Primary(const std::string& url) const;

 private:
  struct Known {
    std::string good;
    std::map<std::string, bool> failed;  // hung
    std::map<std::string, std::uint64_t> silences;
    std::optional<ServerLife> primary;
    std::optional<ServerHistory> history;  // of the primary that told one last
  };
  mutable Mutex mutex_;
  std::map<std::string, Known> known_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::host
