// One build of a projection: its own tables, its own progress.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <summa/ledger/reader.hpp>
#include <summa/uuid.hpp>

namespace summa::projections {

struct Build {
  std::string projection;
  int version = 0;   // of the projection that it was made by
  int number = 1;    // of the build: part of the names of its tables
  std::string role;  // live, next, old
  std::string state;  // loading, running, paused, failed
  std::string error;
  std::int64_t fence = 0;
  std::int64_t replay_to = 0;  // events up to here were applied to an earlier build
  ledger::Checkpoint checkpoint;
  std::set<Uuid> paused_keys;
  bool resume_wanted = false;  // of one of them

  bool running() const { return state == "running"; }
  // "account-balance-view", with its number where it is not the one that is read.
  std::string Name() const {
    return role == "live" ? projection : projection + " (build " + std::to_string(number) + ")";
  }
};

}  // namespace summa::projections
