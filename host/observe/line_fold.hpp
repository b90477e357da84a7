// Folds repeats of one log line: the first is written, equal ones within the window are counted,
// and the next one after the window is written with that count. When none comes, the count is taken
// with TakeEnded, so that nothing is left out in silence: with the fields of the last line that was
// held back. Bounded memory. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "host/clock.hpp"
#include "host/observe/log.hpp"

namespace summa::host {

class LineFold {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Ended {
    std::string key;
    std::int64_t held_back = 0;
    Fields fields;  // of the last one
  };

  // nullopt: do not write. Else the number of equal lines that were held back before this one.
  std::optional<std::int64_t> Admit(const std::string& key, BootTime now,
                                    std::span<const LogField> fields = {});
  // Lines held back whose window has passed, each told once. `all`: also those within it.
  std::vector<Ended> TakeEnded(BootTime now, bool all = false);
  // Forgets every line, also what was held back: after TakeEnded(now, true) nothing is.
  void Clear();

 private:
  struct Seen {
    BootTime written;
    std::int64_t held_back = 0;
    Fields fields;
  };
  void Forget(BootTime now);
  std::unordered_map<std::string, Seen> seen_;
  std::size_t folded_ = 0;  // entries with lines held back: mostly none, so looking costs nothing
};

}  // namespace summa::host
