// Reading what a plugin passes over the boundary. A plugin is trusted with the process, not with
// being right: a NULL text is an empty one.
#pragma once

#include <string>
#include <string_view>

#include "summa/abi/plugin.h"

namespace summa::host {

inline std::string_view View(summa_str text) {
  return text.data == nullptr ? std::string_view{} : std::string_view{text.data, text.size};
}
inline std::string Copy(summa_str text) { return std::string(View(text)); }

}  // namespace summa::host
