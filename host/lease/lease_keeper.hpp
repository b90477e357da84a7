// Leases of this host on Summa's table worker_lease (server clock), renewed on a connection of
// their own.
//
// One thread renews every lease at a third of its time to live and looks, with one plain SELECT for
// all workers, whether a lease that somebody waits for has become free. Local trust in a lease ends
// `kTrustMargin` before the server would let it go, measured with CLOCK_BOOTTIME from before the
// request was sent; an unanswered renewal counts as not renewed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "host/clock.hpp"
#include "host/database/session.hpp"

namespace summa::host {

struct LeaseStatus {
  std::string holder;  // of whoever has it; empty: nobody, or not known
  bool ours = false;
  bool trusted = false;    // ours and not near its end
  std::int64_t fence = 0;  // ours only
  // Until the lease ends. That of others is known from the last look while somebody waits for it,
  // and forgotten when it has passed; zero: it has no end.
  Microseconds remaining{0};
  Microseconds trust_remaining{0};  // ours only: until it is trusted no more without a renewal
};

class LeaseKeeper {
 public:
  // holder: unique per process start, at most 100 characters. on_lost is called from the keeper's
  // thread when a lease of ours is no longer trusted (renewal refused, expired, database away too
  // long).
  LeaseKeeper(const DatabaseSettings& ledger, std::string holder, const Clock& clock,
              std::function<void(const std::string& worker_id)> on_lost);
  ~LeaseKeeper();  // stops the thread; releases nothing

  // Tries once; the guard to commit under, or nullopt: somebody else has it. Throws SqlFailure when
  // the database cannot be asked. Re-acquiring our own lease keeps its fence; a new holder raises
  // it.
  std::optional<LeaseGuard> TryAcquire(const std::string& worker_id, Microseconds time_to_live);
  // Waits until the lease looks free, `wait` passed or stop() is true. True: worth a TryAcquire.
  bool WaitUntilFree(const std::string& worker_id, Microseconds wait,
                     const std::function<bool()>& stop);
  bool Trusted(const std::string& worker_id) const;  // cheap; any thread
  LeaseStatus Status(const std::string& worker_id) const;
  // SH-0323: somebody else has the lease, whom one look is to name.
  Error HeldElsewhere(const std::string& worker_id);
  // Lets it go so that another host can take it at once. keep_for: Summa's own runners find the row
  // taken until then, our own hosts do not (a periodic worker shared with a runner of Summa, which
  // knows no due times and would run it again at once).
  void Release(const std::string& worker_id, std::optional<Microseconds> keep_for = {}) noexcept;
  void ReleaseAll() noexcept;
  // Renews it no more and leaves it to expire: something could still work under it.
  void Forget(const std::string& worker_id) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
