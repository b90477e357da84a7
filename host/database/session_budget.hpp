// Who may have how many of the sessions of a pool, so that no plugin takes them all from the
// others.
//
// A plugin with continuous workers is sure of some sessions (its share): the others leave them free
// while it does not use them. And a plugin that has a session already leaves one for those that
// have none. Plain state, under the lock of the pool.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <string>
#include <vector>

namespace summa::host {

// For whom a session is used. Empty: the host itself, or not known.
struct SessionUser {
  std::string plugin, worker;
};

// What a plugin uses right now.
struct SessionUse {
  std::string plugin;
  int sessions = 0;
  std::chrono::microseconds longest{0};  // since when the one that is held longest is
  std::string worker;                    // that holds that one; empty: not in a call of a worker
};

class SessionBudget {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Holder {
    SessionUser user;
    TimePoint since;
  };
  using Ticket = std::list<Holder>::iterator;

  // shares: by plugin; together less than pool, or the pool is not divided.
  SessionBudget(int pool, std::map<std::string, int> shares);

  bool MayTake(const std::string& plugin) const;
  Ticket Take(SessionUser user, TimePoint now);
  void Give(Ticket ticket);
  int used() const { return static_cast<int>(holders_.size()); }
  // Every plugin that ever had one, the greatest user first.
  std::vector<SessionUse> Uses(TimePoint now) const;

 private:
  int UsedBy(const std::string& plugin) const;

  const int pool_;
  const std::map<std::string, int> shares_;
  std::list<Holder> holders_;
  std::map<std::string, int> used_by_;  // plugins stay
};

// "plugin greeter holds 5, one for 12.0 s (worker greeter)", joined; what uses none is left out.
std::string Describe(const std::vector<SessionUse>& uses);

}  // namespace summa::host
