#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace summa::verify {

// Conditions on a uuid column that cut all ids into about `count` slices (at most 65,536) of equal
// width. Ids are random as a rule; where they are not, some slices hold more.
std::vector<std::string> UuidSlices(const std::string& column, std::int64_t count);

}  // namespace summa::verify
