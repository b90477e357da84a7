#include <condition_variable>
#include <mutex>

#include "host/database/pq_session.hpp"
#include "host/database/reconnect_gate.hpp"

namespace summa::host {
namespace {

// Firewalls and balancers forget idle connections after about an hour.
constexpr std::chrono::minutes kMaxIdle{30};

std::string Seconds(Microseconds span) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(span).count()) +
         " ms";
}

}  // namespace

struct SessionPool::State {
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit State(DatabaseSettings given) : settings(std::move(given)) {}

  const DatabaseSettings settings;
  std::mutex mutex;
  std::condition_variable freed;
  std::vector<std::unique_ptr<PqSession>> idle;  // last used at the back
  int open = 0;                                  // idle, in use and being opened
  ReconnectGate gate{kFirstReconnectPause, kLongestReconnectPause};
  bool trying = false;         // somebody opens a connection
  std::uint64_t failures = 0;  // attempts that failed

  std::unique_ptr<PqSession> TakeIdle(std::vector<std::unique_ptr<PqSession>>& dropped) {
    const auto oldest = std::chrono::steady_clock::now() - kMaxIdle;
    while (!idle.empty() && idle.front()->idle_since < oldest) {
      dropped.push_back(std::move(idle.front()));
      idle.erase(idle.begin());
      --open;
    }
    while (!idle.empty()) {
      std::unique_ptr<PqSession> session = std::move(idle.back());
      idle.pop_back();
      if (session->Alive()) return session;
      dropped.push_back(std::move(session));
      --open;
    }
    return nullptr;
  }

  bool HasRoom() const { return open < settings.pool; }
  // While the server is away only one caller tries, and not too often.
  bool MayOpen() const {
    const auto not_before = gate.not_before();
    if (!HasRoom()) return false;
    return !not_before || (!trying && *not_before <= std::chrono::steady_clock::now());
  }
  // Until there is a session (returned) or the caller may open one (nullptr).
  std::unique_ptr<PqSession> WaitForTurn(std::unique_lock<std::mutex>& lock, TimePoint deadline,
                                         std::vector<std::unique_ptr<PqSession>>& dropped) {
    const std::uint64_t failures_before = failures;
    for (;;) {
      if (auto session = TakeIdle(dropped)) return session;
      if (MayOpen()) return nullptr;
      const bool away = HasRoom();  // else all are in use
      const bool over = std::chrono::steady_clock::now() >= deadline;
      if (away && (over || failures != failures_before)) throw SqlFailure(gate.last_failure());
      if (over) return nullptr;
      auto until = deadline;
      if (away && !trying) until = std::min(deadline, *gate.not_before());
      freed.wait_until(lock, until);
    }
  }

  std::unique_ptr<PqSession> Open() {
    std::unique_ptr<PqSession> session;
    std::optional<SqlFailure> failure;
    try {
      session = std::make_unique<PqSession>(settings);
    } catch (const SqlFailure& failed) {
      failure.emplace(failed);
    } catch (...) {
      Opened(nullptr);
      throw;
    }
    Opened(failure ? &*failure : nullptr);
    if (failure) throw SqlFailure(*failure);
    return session;
  }
  void Opened(const SqlFailure* failure) {
    {
      const std::lock_guard lock(mutex);
      trying = false;
      if (failure != nullptr) {
        gate.Failed(*failure);
        ++failures;
        --open;
      } else {
        gate.Opened();
      }
    }
    freed.notify_all();
  }

  void Closed() noexcept {
    {
      const std::lock_guard lock(mutex);
      --open;
    }
    freed.notify_one();
  }
};

SessionPool::SessionPool(DatabaseSettings settings)
    : state_(std::make_unique<State>(std::move(settings))) {}
SessionPool::~SessionPool() = default;

const DatabaseSettings& SessionPool::settings() const { return state_->settings; }

PoolUse SessionPool::Use() const {
  const std::lock_guard lock(state_->mutex);
  const int idle = static_cast<int>(state_->idle.size());
  return {state_->open - idle, idle, state_->settings.pool - state_->open};
}

std::unique_ptr<Session> SessionPool::Take(Microseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::vector<std::unique_ptr<PqSession>> dropped;  // closed outside the lock
  for (;;) {
    std::unique_lock lock(state_->mutex);
    if (auto session = state_->WaitForTurn(lock, deadline, dropped)) {
      lock.unlock();
      if (session->FinishReset()) return session;
      session.reset();
      state_->Closed();
      continue;
    }
    if (!state_->HasRoom()) {
      throw SqlFailure(
          Error{"SH-0403",
                "all " + std::to_string(state_->settings.pool) +
                    " database sessions of this host are in use, none became free in " +
                    Seconds(wait),
                "Raise the pool of the database in the configuration (and max_connections of "
                "the server), or look for a worker that does not give its session back",
                ""},
          "");
    }
    ++state_->open;
    state_->trying = true;
    break;
  }
  return state_->Open();
}

void SessionPool::Give(std::unique_ptr<Session> session) noexcept {
  if (!session) return;
  auto* own = static_cast<PqSession*>(session.get());  // only Take() makes them
  if (own->Reset()) {
    own->idle_since = std::chrono::steady_clock::now();
    try {
      const std::lock_guard lock(state_->mutex);
      state_->idle.emplace_back(own);
      static_cast<void>(session.release());
      state_->freed.notify_one();
      return;
    } catch (...) {
      // No memory for the list: close it like a broken one.
    }
  }
  session.reset();
  state_->Closed();
}

}  // namespace summa::host
