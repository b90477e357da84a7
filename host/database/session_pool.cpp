#include <summa/assert.hpp>

#include "host/database/pq_session.hpp"
#include "host/database/reconnect_gate.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// How long `/readyz` names the holders of the sessions after a request got none.
constexpr std::chrono::minutes kRefusalShown{1};
// Firewalls and balancers forget idle connections after about an hour.
constexpr std::chrono::minutes kMaxIdle{30};

std::string Seconds(Microseconds span) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(span).count()) +
         " ms";
}

}  // namespace

struct SessionPool::State {
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit State(DatabaseSettings given)
      : settings(std::move(given)), budget(settings.pool, settings.shares) {}

  const DatabaseSettings settings;
  Mutex mutex;
  ConditionVariable freed;
  std::vector<std::unique_ptr<PqSession>> idle SUMMA_GUARDED_BY(mutex);  // last used at the back
  int open SUMMA_GUARDED_BY(mutex) = 0;          // idle, in use and being opened
  SessionBudget budget SUMMA_GUARDED_BY(mutex);  // of those in use and being opened
  std::string refusal SUMMA_GUARDED_BY(mutex);   // the latest
  TimePoint refused_at SUMMA_GUARDED_BY(mutex);
  ReconnectGate gate SUMMA_GUARDED_BY(mutex){kFirstReconnectPause, kLongestReconnectPause};
  bool trying SUMMA_GUARDED_BY(mutex) = false;         // somebody opens a connection
  std::uint64_t failures SUMMA_GUARDED_BY(mutex) = 0;  // attempts that failed

  // Whether it is still alive, FinishReset() says.
  std::unique_ptr<PqSession> AcquireIdle(std::vector<std::unique_ptr<PqSession>>& dropped)
      SUMMA_REQUIRES(mutex) {
    const auto oldest = std::chrono::steady_clock::now() - kMaxIdle;
    while (!idle.empty() && idle.front()->idle_since < oldest) {
      dropped.push_back(std::move(idle.front()));
      idle.erase(idle.begin());
      --open;
    }
    if (idle.empty()) return nullptr;
    std::unique_ptr<PqSession> session = std::move(idle.back());
    idle.pop_back();
    return session;
  }

  // Every connection is idle or counted for whoever has it.
  void Check() const SUMMA_REQUIRES(mutex) {
    SUMMA_ASSERT(open == static_cast<int>(idle.size()) + budget.used());
    SUMMA_ASSERT(open <= settings.pool);
  }

  bool HasRoom() const SUMMA_REQUIRES(mutex) { return open < settings.pool; }
  // While the server is away only one caller tries, and not too often.
  bool MayOpen() const SUMMA_REQUIRES(mutex) {
    const auto not_before = gate.not_before();
    if (!HasRoom()) return false;
    return !not_before || (!trying && *not_before <= std::chrono::steady_clock::now());
  }
  // Until there is a session (returned), the caller may open one or the time is over (nullptr).
  std::unique_ptr<PqSession> WaitForTurn(const std::string& plugin, MutexLock& lock,
                                         TimePoint deadline,
                                         std::vector<std::unique_ptr<PqSession>>& dropped)
      SUMMA_REQUIRES(mutex) {
    const std::uint64_t failures_before = failures;
    for (;;) {
      const bool may = budget.MayAcquire(plugin);
      if (may) {
        if (auto session = AcquireIdle(dropped)) return session;
        if (MayOpen()) return nullptr;
      }
      const bool away = may && HasRoom();  // otherwise all are in use
      const bool over = std::chrono::steady_clock::now() >= deadline;
      if (away && (over || failures != failures_before)) throw SqlFailure(gate.last_failure());
      if (over) return nullptr;
      auto until = deadline;
      if (away && !trying) until = std::min(deadline, *gate.not_before());
      freed.wait_until(lock, until);
    }
  }

  // The caller waited without success.
  SqlFailure Refuse(const std::string& plugin, Microseconds wait) SUMMA_REQUIRES(mutex) {
    const auto now = std::chrono::steady_clock::now();
    const int pool = settings.pool;
    const bool all = budget.used() >= pool;
    refusal = (all ? "all " + std::to_string(pool)
                   : std::to_string(budget.used()) + " of " + std::to_string(pool)) +
              " database sessions of this host are in use" +
              (all ? "" : " and the others are kept for other plugins") + ", none became free in " +
              Seconds(wait) + (plugin.empty() ? "" : " for plugin " + plugin) + ": " +
              Describe(budget.Uses(now));
    refused_at = now;
    return {
        Error{"SH-0403", refusal,
              "Let the plugin that holds the most sessions use fewer at the same time or return "
              "them sooner, or raise the pool of the database (and max_connections of the server)",
              ""},
        ""};
  }

  std::unique_ptr<PqSession> Open(SessionBudget::Ticket ticket) {
    std::unique_ptr<PqSession> session;
    std::optional<SqlFailure> failure;
    try {
      session = std::make_unique<PqSession>(settings);
    } catch (const SqlFailure& failed) {
      failure.emplace(failed);
    } catch (...) {
      Opened(nullptr, ticket, false);
      throw;
    }
    Opened(failure ? &*failure : nullptr, ticket, session != nullptr);
    if (failure) throw SqlFailure(*failure);
    session->ticket = ticket;
    return session;
  }
  void Opened(const SqlFailure* failure, SessionBudget::Ticket ticket, bool good) {
    {
      const MutexLock lock(mutex);
      trying = false;
      if (!good) {
        budget.Release(ticket);
        --open;
      }
      Check();
      if (failure != nullptr) {
        gate.Failed(*failure);
        ++failures;
      } else {
        gate.Opened();
      }
    }
    freed.notify_all();
  }

  void Closed(SessionBudget::Ticket ticket) noexcept {
    {
      const MutexLock lock(mutex);
      budget.Release(ticket);
      --open;
      Check();
    }
    freed.notify_all();  // who may have it depends on the plugin
  }
};

SessionPool::SessionPool(DatabaseSettings settings)
    : state_(std::make_unique<State>(std::move(settings))) {}
SessionPool::~SessionPool() = default;

const DatabaseSettings& SessionPool::settings() const { return state_->settings; }

PoolUse SessionPool::Use() const {
  const MutexLock lock(state_->mutex);
  const int idle = static_cast<int>(state_->idle.size());
  const auto now = std::chrono::steady_clock::now();
  PoolUse use{state_->open - idle,
              idle,
              state_->settings.pool - state_->open,
              state_->budget.Uses(now),
              {}};
  if (now - state_->refused_at < kRefusalShown) use.refused = state_->refusal;
  return use;
}

std::unique_ptr<Session> SessionPool::Acquire(const SessionUser& user, Microseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::vector<std::unique_ptr<PqSession>> dropped;  // closed outside the lock
  SessionBudget::Ticket ticket;
  for (;;) {
    MutexLock lock(state_->mutex);
    auto session = state_->WaitForTurn(user.plugin, lock, deadline, dropped);
    if (session == nullptr && !(state_->budget.MayAcquire(user.plugin) && state_->HasRoom())) {
      throw state_->Refuse(user.plugin, wait);
    }
    ticket = state_->budget.Acquire(user, std::chrono::steady_clock::now());
    if (session != nullptr) {
      state_->Check();
      lock.unlock();
      session->ticket = ticket;
      if (session->FinishReset()) return session;
      session.reset();
      state_->Closed(ticket);
      continue;
    }
    ++state_->open;
    state_->Check();
    state_->trying = true;
    break;
  }
  return state_->Open(ticket);
}

void SessionPool::Release(std::unique_ptr<Session> session) noexcept {
  if (!session) return;
  auto* own = static_cast<PqSession*>(session.get());  // only Acquire() makes them
  const SessionBudget::Ticket ticket = own->ticket;
  if (own->Reset()) {
    own->idle_since = std::chrono::steady_clock::now();
    try {
      const MutexLock lock(state_->mutex);
      state_->idle.emplace_back(own);
      static_cast<void>(session.release());
      state_->budget.Release(ticket);
      state_->Check();
      state_->freed.notify_all();
      return;
    } catch (...) {
      // No memory for the list: close it like a broken one.
    }
  }
  session.reset();
  state_->Closed(ticket);
}

}  // namespace summa::host
