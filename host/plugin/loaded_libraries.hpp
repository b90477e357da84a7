// The shared libraries of this process, for a plugin that would bring in another version of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace summa::host {

struct LoadedLibrary {
  std::string name;  // "libspdlog.so.1.10"
  // Its symbols have versions (as those of libssl and the C library do): two may be in one process.
  bool versioned = false;
};

// In the order in which they were loaded. Thread-safe.
std::vector<LoadedLibrary> LoadedLibraries();

// The library of the same name before ".so" whose version is another one; nullptr: there is none.
const LoadedLibrary* OtherVersionOf(std::string_view library,
                                    const std::vector<LoadedLibrary>& loaded);

}  // namespace summa::host
