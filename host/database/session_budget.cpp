#include "host/database/session_budget.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

namespace summa::host {

SessionBudget::SessionBudget(int pool, SessionShares shares)
    : pool_(pool), shares_(std::move(shares)) {}

int SessionBudget::UsedBy(const std::string& plugin) const {
  const auto found = used_by_.find(plugin);
  return found == used_by_.end() ? 0 : found->second;
}

bool SessionBudget::MayAcquire(const std::string& plugin) const {
  const int left = pool_ - used() - 1;  // when it has this one
  if (left < 0) return false;
  if (shares_.own.contains(plugin) || (shares_.own.empty() && shares_.sure.empty())) return true;
  const auto sure = shares_.sure.find(plugin);
  const int used_before = UsedBy(plugin);
  if (sure != shares_.sure.end() && used_before < sure->second) return true;
  int kept = used_before > 0 ? 1 : 0;
  for (const auto& [other, share] : shares_.sure) {
    if (other != plugin) kept += std::max(0, share - UsedBy(other));
  }
  return left >= kept;
}

SessionBudget::Ticket SessionBudget::Acquire(SessionUser user, TimePoint now) {
  ++used_by_[user.plugin];
  return holders_.insert(holders_.end(), {std::move(user), now});
}

void SessionBudget::Release(Ticket ticket) {
  --used_by_[ticket->user.plugin];
  holders_.erase(ticket);
}

std::vector<SessionUse> SessionBudget::Uses(TimePoint now) const {
  std::vector<SessionUse> uses;
  for (const auto& [plugin, sessions] : used_by_) {
    SessionUse use{plugin, sessions, {}, {}};
    for (const Holder& holder : holders_) {  // the oldest first
      if (holder.user.plugin != plugin) continue;
      use.longest = std::chrono::duration_cast<std::chrono::microseconds>(now - holder.since);
      use.worker = holder.user.worker;
      break;
    }
    uses.push_back(std::move(use));
  }
  std::stable_sort(uses.begin(), uses.end(), [](const SessionUse& a, const SessionUse& b) {
    return a.sessions > b.sessions;
  });
  return uses;
}

std::string Describe(const std::vector<SessionUse>& uses) {
  std::string text;
  for (const SessionUse& use : uses) {
    if (use.sessions == 0) continue;
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.1f s",
                  std::chrono::duration<double>(use.longest).count());
    if (!text.empty()) text += "; ";
    text += use.plugin.empty() ? "the host" : "plugin " + use.plugin;
    text += " holds " + std::to_string(use.sessions) + ", one for " + seconds;
    if (!use.worker.empty()) text += " (worker " + use.worker + ")";
  }
  return text;
}

}  // namespace summa::host
