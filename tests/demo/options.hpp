// The command line of summa-demo.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace summa::demo {

struct Options {
  std::optional<std::chrono::milliseconds> length;  // none: until Ctrl-C
  double rate = 600;                                // operations per second
  int accounts = 200;
  bool kafka = false;  // instead of Redis
  bool help = false;
};

// "5s", "30s", "1m", "500ms", "1h". Nullopt when it is none, or not positive.
std::optional<std::chrono::milliseconds> ParseDuration(const std::string& text);

// Throws std::invalid_argument with what is wrong and what was expected.
Options ParseOptions(const std::vector<std::string>& arguments);

std::string HelpText();

}  // namespace summa::demo
