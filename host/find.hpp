// Looking something up in a short list.
#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>

namespace summa::host {

template <typename Range, typename T>
bool Contains(const Range& range, const T& value) {
  return std::find(std::begin(range), std::end(range), value) != std::end(range);
}

// The first item of this name (a member of it); nullptr: there is none.
template <typename Range, typename Name>
auto FindNamed(Range& range, Name member, std::string_view name) -> decltype(&*std::begin(range)) {
  const auto found = std::find_if(std::begin(range), std::end(range), [&](const auto& each) {
    return std::invoke(member, each) == name;
  });
  return found == std::end(range) ? nullptr : &*found;
}

}  // namespace summa::host
