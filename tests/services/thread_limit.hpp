// A system that has no more threads. For programs that link summa_test_thread_limit.
#pragma once

namespace summa::test {

// While it lives, `more` threads can be made; the next one is refused with EAGAIN, as where a limit
// of the user or of the container is reached. One at a time.
class ThreadLimit {
 public:
  explicit ThreadLimit(int more);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;
};

}  // namespace summa::test
