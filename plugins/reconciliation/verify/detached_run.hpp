// A chain across events that left the store with a detached partition: what was recorded of them
// when they left. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::verify {

// Consecutive versions of one aggregate that are in one detached partition. No hash is empty.
struct DetachedRun {
  std::int64_t first = 0, last = 0;
  std::string first_previous_hash;  // empty: none
  std::string last_hash;
  std::string predecessor_hash;  // of the event below `first` as it is stored; empty: not there

  bool Contains(std::int64_t version) const { return first <= version && version <= last; }
};

// "first,last,first_previous_hash,last_hash,predecessor_hash;.." as RunsBelow() of detached.hpp
// selects it: the highest first. What is malformed ends the list.
std::vector<DetachedRun> ParseRuns(std::string_view text);

// How an event is linked to the runs below it.
struct Bridge {
  std::string hash;  // of the version below the event
  // Where the runs are not linked to one another, or to the event below them; both empty: they are.
  std::string expected, found;
};

// The runs that fill the gap below `version` without a hole, down to an event that is stored or to
// the first version; nothing: they do not.
std::optional<Bridge> FindBridge(const std::vector<DetachedRun>& runs, std::int64_t version);

}  // namespace summa::verify
