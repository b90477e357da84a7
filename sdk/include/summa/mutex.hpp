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
// A function that is called under the lock names the mutex, not the lock. It unlocks the mutex with
// MutexUnlock, and waits with the mutex:
//   void Send() SUMMA_REQUIRES(mutex_) {
//     while (count_ == 0) changed_.wait(mutex_);
//     const MutexUnlock unlock(mutex_);
//     socket_.Write();
//   }
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
  friend class ConditionVariable;
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

// Unlocks a mutex that this thread has locked, and locks it again when it ends. A MutexLock of the
// same mutex must not be used meanwhile.
class SUMMA_THREAD_SAFETY(scoped_lockable) MutexUnlock {
 public:
  explicit MutexUnlock(Mutex& mutex) SUMMA_RELEASE(mutex) : mutex_(mutex) { mutex_.unlock(); }
  ~MutexUnlock() SUMMA_RELEASE() { mutex_.lock(); }
  MutexUnlock(const MutexUnlock&) = delete;
  MutexUnlock& operator=(const MutexUnlock&) = delete;

 private:
  Mutex& mutex_;
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

  // For functions that are called under the lock.
  void wait(Mutex& mutex) SUMMA_REQUIRES(mutex) {
    Borrowed borrowed(mutex.mutex_);
    condition_.wait(borrowed.lock);
  }
  template <typename Duration>
  std::cv_status wait_for(Mutex& mutex, const Duration& span) SUMMA_REQUIRES(mutex) {
    Borrowed borrowed(mutex.mutex_);
    return condition_.wait_for(borrowed.lock, span);
  }
  template <typename Time>
  std::cv_status wait_until(Mutex& mutex, const Time& time) SUMMA_REQUIRES(mutex) {
    Borrowed borrowed(mutex.mutex_);
    return condition_.wait_until(borrowed.lock, time);
  }

 private:
  // A lock of a mutex that is locked before and stays locked afterwards.
  struct Borrowed {
    explicit Borrowed(std::mutex& mutex) : lock(mutex, std::adopt_lock) {}
    ~Borrowed() { lock.release(); }
    std::unique_lock<std::mutex> lock;
  };
  std::condition_variable condition_;
};

}  // namespace summa
