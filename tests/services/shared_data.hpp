#pragma once

#include <optional>
#include <string>

namespace summa::test {

// The root of the source tree: SUMMA_SOURCE_DIR, else where this was compiled.
std::string SourceDir();

// The folder `shared` next to the source tree, which holds databases made by Summa itself. It is
// not part of the repository: nullopt when absent, and the test then says so and skips.
std::optional<std::string> ForSharedData();

}  // namespace summa::test
