#include "host/observe/time_text.hpp"

namespace summa::host {

std::string TimeText(UnixTime time) {
  return time <= UnixTime() ? std::string() : IsoText(time, IsoDigits::kMilliseconds);
}

}  // namespace summa::host
