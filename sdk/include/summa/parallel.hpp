// Several parts of a work at the same time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

namespace summa {

// Calls work(0) to work(count - 1), at most `threads` of them at the same time, in the calling
// thread and in others that have ended when this returns. When one throws, no further one is begun,
// the others end, and the exception of the first in the list is rethrown. Where the system has no
// more threads, fewer do the work.
inline void InParallel(std::size_t count, int threads,
                       const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::exception_ptr> thrown(count);
  const auto take = [&] {
    for (std::size_t i = next++; i < count && !failed; i = next++) {
      try {
        work(i);
      } catch (...) {
        thrown[i] = std::current_exception();
        failed = true;
      }
    }
  };
  {
    std::vector<std::jthread> others;  // their end is waited for
    const std::size_t most = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    try {
      while (others.size() + 1 < most) others.emplace_back(take);
    } catch (const std::system_error&) {
    }
    take();
  }
  for (const std::exception_ptr& exception : thrown) {
    if (exception) std::rethrow_exception(exception);
  }
}

}  // namespace summa
