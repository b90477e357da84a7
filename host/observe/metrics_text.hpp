// The text of /metrics of several processes as one. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa::host {

// Every series of the others gets the label process="<name>", so that none is there twice. Families
// that are already there with another type, and lines that are none, are left out.
std::string MergeMetrics(std::string_view own,
                         const std::vector<std::pair<std::string, std::string>>& others);

}  // namespace summa::host
