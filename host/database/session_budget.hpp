// Who may have how many of the sessions of a pool, so that no plugin takes them all from the
// others.
//
// The host's own plugins take what is free: their workers need several sessions at once, and would
// hold each other up. Of the others, one with continuous workers is sure of some sessions (its
// share). They leave free what those of the host and the rest of them are sure of, while these do
// not use it; and one that has a session already leaves one for those that have none. Plain state,
// under the lock of the pool.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace summa::host {

// For whom a session is used. Empty: the host itself, or not known.
struct SessionUser {
  std::string plugin, worker;
};

// By plugin. Empty: the pool is not divided, as in a command.
struct SessionShares {
  std::map<std::string, int> sure;  // together less than the pool
  std::set<std::string> own;        // of the host
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

  SessionBudget(int pool, SessionShares shares);

  bool MayAcquire(const std::string& plugin) const;
  Ticket Acquire(SessionUser user, TimePoint now);
  void Release(Ticket ticket);
  int used() const { return static_cast<int>(holders_.size()); }
  // Every plugin that ever had one, the greatest user first.
  std::vector<SessionUse> Uses(TimePoint now) const;

 private:
  int UsedBy(const std::string& plugin) const;

  const int pool_;
  const SessionShares shares_;
  std::list<Holder> holders_;
  std::map<std::string, int> used_by_;  // plugins stay
};

// "plugin greeter holds 5, one for 12.0 s (worker greeter)", joined; what uses none is left out.
std::string Describe(const std::vector<SessionUse>& uses);

}  // namespace summa::host
