// std::mutex and its friends, with what they guard written down: clang checks it (`./dev check`),
// every other compiler sees plain standard types behind inline functions.
//
//   class Counter {
//    public:
//     void Add() {
//       const MutexLock lock(mutex_);
//       ++count_;                                      // without the lock: an error
//     }
//
//    private:
//     void Publish() SUMMA_REQUIRES(mutex_);           // who calls it has the lock
//     summa::Mutex mutex_;
//     int count_ SUMMA_GUARDED_BY(mutex_) = 0;
//   };
//
// The names of the functions are those of the standard library. A condition that is a lambda says
// what it needs:
//   changed_.wait(lock, [this]() SUMMA_REQUIRES(mutex_) { return count_ > 0; });
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#if defined(__clang__)
#define SUMMA_THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define SUMMA_THREAD_SAFETY(attribute)
#endif

// Of a variable: read and written under the mutex only; of a pointer: what it points to.
#define SUMMA_GUARDED_BY(mutex) SUMMA_THREAD_SAFETY(guarded_by(mutex))
#define SUMMA_POINTED_GUARDED_BY(mutex) SUMMA_THREAD_SAFETY(pt_guarded_by(mutex))
// Of a function: who calls it has the mutex, or does not have it.
#define SUMMA_REQUIRES(...) SUMMA_THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define SUMMA_EXCLUDES(...) SUMMA_THREAD_SAFETY(locks_excluded(__VA_ARGS__))
// Of a function that locks or unlocks.
#define SUMMA_ACQUIRE(...) SUMMA_THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define SUMMA_TRY_ACQUIRE(...) SUMMA_THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define SUMMA_RELEASE(...) SUMMA_THREAD_SAFETY(release_capability(__VA_ARGS__))
// Of a function that clang cannot follow; a comment says why it is right.
#define SUMMA_NO_THREAD_SAFETY_CHECK SUMMA_THREAD_SAFETY(no_thread_safety_analysis)

namespace summa {

class SUMMA_THREAD_SAFETY(capability("mutex")) Mutex {
 public:
  void lock() SUMMA_ACQUIRE() { mutex_.lock(); }
  bool try_lock() SUMMA_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() SUMMA_RELEASE() { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

// Has the mutex while it lives, but for what unlock() and lock() say. Of one thread.
class SUMMA_THREAD_SAFETY(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SUMMA_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  // The caller has locked it.
  MutexLock(Mutex& mutex, std::adopt_lock_t adopt) SUMMA_REQUIRES(mutex)
      : lock_(mutex.mutex_, adopt) {}
  ~MutexLock() SUMMA_RELEASE() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void lock() SUMMA_ACQUIRE() { lock_.lock(); }
  void unlock() SUMMA_RELEASE() { lock_.unlock(); }

 private:
  friend class ConditionVariable;
  std::unique_lock<std::mutex> lock_;
};

// Waits as std::condition_variable does; the lock is had again when it returns.
class ConditionVariable {
 public:
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

  void wait(MutexLock& lock) { condition_.wait(lock.lock_); }
  template <typename Duration>
  std::cv_status wait_for(MutexLock& lock, const Duration& span) {
    return condition_.wait_for(lock.lock_, span);
  }
  template <typename Time>
  std::cv_status wait_until(MutexLock& lock, const Time& time) {
    return condition_.wait_until(lock.lock_, time);
  }

  template <typename Predicate>
  void wait(MutexLock& lock, Predicate predicate) {
    condition_.wait(lock.lock_, std::move(predicate));
  }
  template <typename Duration, typename Predicate>
  bool wait_for(MutexLock& lock, const Duration& span, Predicate predicate) {
    return condition_.wait_for(lock.lock_, span, std::move(predicate));
  }
  template <typename Time, typename Predicate>
  bool wait_until(MutexLock& lock, const Time& time, Predicate predicate) {
    return condition_.wait_until(lock.lock_, time, std::move(predicate));
  }

 private:
  std::condition_variable condition_;
};

}  // namespace summa
