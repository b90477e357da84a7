#include "host/observe/time_text.hpp"

#include <cstdio>
#include <ctime>

namespace summa::host {

std::string TimeText(Microseconds unix_time) {
  if (unix_time.count() <= 0) return {};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(unix_time);
  const std::time_t seconds = milliseconds.count() / 1000;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  char date[40], text[56];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(milliseconds.count() % 1000));
  return text;
}

}  // namespace summa::host
