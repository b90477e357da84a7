#include "tests/services/thread_limit.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <limits>

namespace summa::test {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();
std::atomic<int> threads_left{kNoLimit};

}  // namespace

ThreadLimit::ThreadLimit(int more) { threads_left = more; }
ThreadLimit::~ThreadLimit() { threads_left = kNoLimit; }

}  // namespace summa::test

// Found before the one of the C library, also by the C++ library.
extern "C" [[gnu::visibility("default")]] int pthread_create(pthread_t* thread,
                                                             const pthread_attr_t* attributes,
                                                             void* (*start)(void*),
                                                             void* argument) noexcept {
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  std::atomic<int>& left = summa::test::threads_left;
  if (left != summa::test::kNoLimit && left-- <= 0) return EAGAIN;
  return create(thread, attributes, start, argument);
}
