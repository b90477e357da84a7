// The tables of progress: summa_read.projection_*. Statements only; the caller has the transaction.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <summa/sql.hpp>
#include <utility>
#include <vector>

#include "engine/build.hpp"

namespace summa::projections {

// An event that could not be applied, and whose key therefore stops.
struct Refused {
  Uuid key;
  std::int64_t position = 0;
  std::string event_type, error;
};
// An event behind one that could not be applied.
struct Waiting {
  Uuid key;
  std::int64_t position = 0;
};

// Every build with its paused keys, in the order of projection and number.
std::vector<Build> ReadBuilds(Session& read);

void InsertBuild(Session& read, const Build& build);
void DeleteBuild(Session& read, const Build& build);
// Builds that were replaced at least so long ago: projection and number.
std::vector<std::pair<std::string, int>> ReadExpired(Session& read,
                                                     std::chrono::microseconds keep_old);
// Nobody makes progress with it until the transaction has ended. False: it has not this role.
bool LockBuild(Session& read, const std::string& projection, int build, const std::string& role);

// From now on, nobody with a lower fence can change the progress of any build.
void ClaimFence(Session& read, std::int64_t fence);

// Records `reached`, and the build's checkpoint becomes it when the caller has committed. Throws
// SH-0552 (SUMMA_E_TRY_LATER) when the row is not what the caller believes: another host has gone
// on, a person has paused it, it has another role, or the database was restored to an older state.
void Advance(Session& read, const Build& build, const ledger::Checkpoint& reached,
             std::int64_t fence);

void SetState(Session& read, const Build& build, const std::string& state,
              const std::string& error);

void PauseKeys(Session& read, const Build& build, std::span<const Refused> refused);
// Throws SH-0552 (SUMMA_E_TRY_LATER) when a key is not paused any more.
void AddWaiting(Session& read, const Build& build, std::span<const Waiting> waiting);
void AddDeadLetters(Session& read, const Build& build, std::span<const Refused> refused);

// The keys that somebody wants to be tried again, and what waits for one, oldest first.
std::vector<Uuid> KeysToResume(Session& read, const Build& build);
std::vector<std::int64_t> ReadWaiting(Session& read, const Build& build, const Uuid& key,
                                      std::int64_t at_most);
void RemoveWaiting(Session& read, const Build& build, const Uuid& key,
                   std::span<const std::int64_t> positions);
// It was tried in vain: it waits for a person again.
void KeepPaused(Session& read, const Build& build, const Uuid& key, const std::string& error);
void Unpause(Session& read, const Build& build, const Uuid& key);

}  // namespace summa::projections
