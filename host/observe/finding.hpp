// What somebody found when looking at one thing: the host itself (`doctor`) or a plugin
// (summa.health/1). For people.
#pragma once

#include <string>

namespace summa::host {

enum class Severity { kOk, kWarning, kError };

struct Finding {
  std::string check;  // what was looked at
  Severity severity = Severity::kOk;
  std::string found;
  std::string expected;  // may be empty
  std::string fix;       // empty: nothing to do
};

// What a plugin says of itself.
struct PluginFinding {
  std::string plugin;
  Finding finding;
};

}  // namespace summa::host
