#include "host/observe/log_writer.hpp"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

namespace summa::host {
namespace {

// How often a writer without room looks whether it is to stop, and a flush whether it is to hurry.
constexpr std::chrono::milliseconds kPollInterval{100};

// A process-directed signal goes to any thread that lets it in; this one must not be the one that
// SIGTERM ends the process through. Signals of a fault of the thread itself are not held up.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
      sigdelset(&all, fault);
    }
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_;
};

std::uint64_t CountLines(const std::string& text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

LogWriter::LogWriter(int descriptor, std::size_t capacity_bytes, Notice notice)
    : descriptor_(descriptor), capacity_bytes_(capacity_bytes), notice_(std::move(notice)) {}

LogWriter::~LogWriter() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LogWriter::Put(std::string lines) {
  if (lines.empty()) return;
  {
    const MutexLock lock(mutex_);
    waiting_bytes_ += lines.size();
    lines_.push_back(std::move(lines));
    ++unwritten_;
    while (waiting_bytes_ > capacity_bytes_ && lines_.size() > 1) {
      Drop(lines_.front());
      waiting_bytes_ -= lines_.front().size();
      lines_.pop_front();
      --unwritten_;
    }
    if (!thread_.joinable() && !stopping_) {
      const NoSignals no_signals;  // the thread inherits them
      thread_ = std::thread([this] { Run(); });
    }
  }
  work_.notify_one();
}

void LogWriter::Drop(const std::string& lines) {
  const std::uint64_t count = CountLines(lines);
  missing_ += count;
  lost_ += count;
}

bool LogWriter::Flush(const std::function<bool()>& urgent, Microseconds timeout) {
  MutexLock lock(mutex_);
  auto last_progress = std::chrono::steady_clock::now();
  std::uint64_t seen = progress_;
  while (unwritten_ > 0) {
    written_.wait_for(lock, kPollInterval);
    const auto now = std::chrono::steady_clock::now();
    if (progress_ != seen || !urgent()) {
      seen = progress_;
      last_progress = now;
    } else if (now - last_progress >= timeout) {
      return false;
    }
  }
  return true;
}

void LogWriter::Run() {
  MutexLock lock(mutex_);
  while (true) {
    work_.wait(lock, [this]() SUMMA_REQUIRES(mutex_) { return stopping_ || !lines_.empty(); });
    if (stopping_) return;
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    waiting_bytes_ -= line.size();
    const std::uint64_t missing = missing_;
    lock.unlock();
    const bool said = !ended_ && (missing == 0 || Write(notice_(missing)));
    const bool written = said && Write(line);
    lock.lock();
    if (said) missing_ -= missing;
    if (!written) Drop(line);
    ++progress_;
    --unwritten_;
    written_.notify_all();
  }
}

// False: told to stop. A write after it does not block for long: no thread waits in one forever.
bool LogWriter::WaitForRoom() {
  pollfd watched{descriptor_, POLLOUT, 0};
  while (!stopping_) {
    const int ready = poll(&watched, 1, static_cast<int>(kPollInterval.count()));
    if (ready != 0) return true;  // the write reports errors
  }
  return false;
}

// False: refused, perhaps in the middle.
bool LogWriter::Write(const std::string& text) {
  // What follows must not be in the middle of a line.
  const std::string whole = torn_ ? "\n" + text : text;
  const std::size_t written = WriteInPieces(descriptor_, whole, [this] { return WaitForRoom(); });
  if (written > 0) torn_ = written < whole.size();
  return written == whole.size();
}

std::size_t WriteInPieces(int descriptor, std::string_view text,
                          const std::function<bool()>& wait_for_room) {
  std::size_t done = 0;
  while (done < text.size() && wait_for_room()) {
    const std::size_t size = std::min<std::size_t>(text.size() - done, PIPE_BUF);
    const ssize_t written = write(descriptor, text.data() + done, size);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      poll(nullptr, 0, 1);  // there is room, but not enough: the reader needs a moment
    } else if (written == 0 || errno != EINTR) {
      break;
    }
  }
  return done;
}

}  // namespace summa::host
