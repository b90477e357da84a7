#include "open_writers.hpp"

#include <chrono>
#include <summa/backoff.hpp>

namespace summa::ledger {
namespace {

using std::chrono::microseconds;

// Looking costs the server a tenth of a millisecond and more with many locks.
constexpr microseconds kFirstPause{3'000}, kLongestPause{50'000};

}  // namespace

void LockBarrier::Raise(Session& session) {
  // The position in a separate statement, before the locks: what is drawn later is above it.
  position_ =
      session.Exec("SELECT coalesce(max(" + table_.position + "), 0)::bigint FROM " + table_.name)
          .Value<std::int64_t>();
  OpenWriters open = QueryOpenWriters(session, table_);
  writers_ = std::move(open.writers);
  server_start_ = std::move(open.server_start);
}

bool LockBarrier::Passed(Session& session) {
  if (writers_.empty()) return true;
  OpenWriters open = QueryOpenWriters(session, table_);
  if (open.server_start != server_start_) {
    writers_ = std::move(open.writers);
    server_start_ = std::move(open.server_start);
  } else {
    std::set<OpenWriter> left;
    for (const OpenWriter& writer : open.writers) {
      if (writers_.count(writer) > 0) left.insert(writer);
    }
    writers_ = std::move(left);
  }
  return writers_.empty();
}

std::optional<std::int64_t> WaitForHorizon(Session& session, const EventTable& table,
                                           microseconds timeout,
                                           const std::function<bool(microseconds)>& wait,
                                           std::vector<OpenWriter>* waiting_for) {
  RequireOrderedPositions(session, table);
  LockBarrier barrier(table);
  barrier.Raise(session);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  Backoff backoff(kFirstPause, kLongestPause, Jitter::kNone);
  while (!barrier.Passed(session)) {
    if (std::chrono::steady_clock::now() >= deadline || wait(backoff.Next())) {
      if (waiting_for != nullptr) {
        waiting_for->assign(barrier.waiting_for().begin(), barrier.waiting_for().end());
      }
      return std::nullopt;
    }
  }
  return barrier.position();
}

}  // namespace summa::ledger
