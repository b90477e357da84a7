// Writes lines to a descriptor from a thread of its own, so that nobody who logs waits for whoever
// reads. Bounded: when the reader is too slow, the oldest lines give way. Lines that give way, and
// lines that the descriptor refuses (a full disk, a reader that has gone), are counted, and said in
// the place where they are missing as soon as something can be written again. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "host/clock.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class LogWriter {
 public:
  // Makes the line that says how many are missing.
  using Notice = std::function<std::string(std::uint64_t lines)>;

  // capacity_bytes: of the lines that wait. The thread starts with the first line.
  LogWriter(int descriptor, std::size_t capacity_bytes, Notice notice);
  ~LogWriter();  // what is not written yet is lost: Flush() first
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Whole lines, each with its line break. Never waits for the reader.
  void Put(std::string lines);
  // Waits until everything is written. False: urgent() was true, and nothing was written for
  // `timeout`. It is asked about ten times a second.
  bool Flush(const std::function<bool()>& urgent, Microseconds timeout);
  // No line is begun any more. Lock-free: a signal handler may call it.
  void End() { ended_ = true; }

  std::uint64_t lost() const { return lost_; }  // lines, ever
  // Nothing waits to be written. Lock-free: a signal handler may ask.
  bool idle() const { return unwritten_ == 0; }

 private:
  void Run();
  bool WaitForRoom();
  bool Write(const std::string& text);
  void Drop(const std::string& lines) SUMMA_REQUIRES(mutex_);

  const int descriptor_;
  const std::size_t capacity_bytes_;
  const Notice notice_;
  bool torn_ = false;  // [thread] the last line was written in part
  Mutex mutex_;
  ConditionVariable work_, written_;
  std::deque<std::string> lines_ SUMMA_GUARDED_BY(mutex_);
  std::size_t waiting_bytes_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::uint64_t missing_ SUMMA_GUARDED_BY(mutex_) = 0;   // lost, and not said yet
  std::uint64_t progress_ SUMMA_GUARDED_BY(mutex_) = 0;  // grows with every write
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::size_t> unwritten_{0};  // elements of lines_, and the one being written
  std::atomic<bool> stopping_{false}, ended_{false};
  std::thread thread_;
};

// Writes in pieces that a pipe with room takes at once, each after wait_for_room(), until the
// descriptor refuses one or that is false. How many bytes were written.
std::size_t WriteInPieces(int descriptor, std::string_view text,
                          const std::function<bool()>& wait_for_room);

}  // namespace summa::host
