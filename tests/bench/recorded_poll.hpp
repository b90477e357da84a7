// The product's own poll: the processor that ships runs against a real database, and the statements
// it sends are written down with their parameters.
#pragma once

#include <functional>
#include <string>

namespace summa::bench {

struct RecordedPoll {
  std::string statement;
  // What the statement was given: the lower bound as a timestamptz, "-infinity" for none.
  std::string created_from;
  double seconds = 0;  // of the whole tick it was part of
};

struct RecordedPolls {
  RecordedPoll unbounded, bounded;
};

// Lets a processor with default settings take over (its first poll has no bound), then calls
// `write`, which must commit one waiting row, and lets it poll again. The row goes to a bus in
// memory and is marked. Throws when the polls were not of this kind or nothing was delivered.
RecordedPolls RecordPolls(const std::string& url, const std::function<void()>& write);

}  // namespace summa::bench
