#include "host/application/requester.hpp"

#include <cstdlib>

namespace summa::host {

std::string Requester(const std::string& host_name) {
  for (const char* variable : {"SUDO_USER", "USER", "LOGNAME"}) {
    const char* name = std::getenv(variable);
    if (name != nullptr && *name != '\0') return std::string(name) + "@" + host_name;
  }
  return host_name;
}

}  // namespace summa::host
