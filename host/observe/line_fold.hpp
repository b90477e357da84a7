// Folds repeats of one log line: the first is written, equal ones within the window are counted,
// and the next one after the window is written with that count. Bounded memory. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "host/clock.hpp"

namespace summa::host {

class LineFold {
 public:
  // nullopt: do not write. Else the number of equal lines that were held back before this one.
  std::optional<std::int64_t> Admit(const std::string& key, Microseconds now);

 private:
  struct Seen {
    Microseconds written{0};
    std::int64_t held_back = 0;
  };
  void Forget(Microseconds now);
  std::unordered_map<std::string, Seen> seen_;
};

}  // namespace summa::host
