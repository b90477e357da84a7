// One build of a projection: its own tables, its own progress.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <summa/ledger/reader.hpp>
#include <summa/uuid.hpp>
#include <vector>

namespace summa::projections {

struct Build {
  std::string projection;
  int version = 0;    // of the projection that it was made by
  int number = 1;     // of the build: part of the names of its tables
  std::string role;   // live, next, old
  std::string state;  // loading, running, paused, failed
  std::string error;
  std::int64_t fence = 0;
  ledger::Checkpoint checkpoint;
  std::vector<std::string> tables;  // of read models, without the number
  // Which events are applied with SUMMA_BATCH_REPLAY: all, because the one that is read runs and
  // announces them; or what it had announced where it stands still.
  bool another_announces = false;
  ledger::Checkpoint announced;
  std::set<Uuid> paused_keys;
  bool resume_wanted = false;  // of one of them

  bool Replays(std::int64_t position) const { return another_announces || announced.Has(position); }
  bool running() const { return state == "running"; }
  // "account-balance-view", with its number where it is not the one that is read.
  std::string Name() const {
    return role == "live" ? projection : projection + " (build " + std::to_string(number) + ")";
  }
};

// nullptr: the projection has none of this role.
inline const Build* FindRole(const std::vector<Build>& builds, std::string_view projection,
                             std::string_view role) {
  for (const Build& build : builds) {
    if (build.projection == projection && build.role == role) return &build;
  }
  return nullptr;
}

}  // namespace summa::projections
