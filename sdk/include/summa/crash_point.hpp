// Named places at which a test ends or freezes the process, to show that nothing depends on the
// code that would have run next. They are compiled into every build, so that the tested program is
// the shipped one; without the variables, a point costs one branch.
//
//   SUMMA_CRASH_AT=outbox.confirmed:2    SIGKILL when the process comes there for the second time
//   SUMMA_FREEZE_AT=outbox.confirmed:2   SIGSTOP instead; a test sends SIGCONT
//   SUMMA_CRASH_RECORD=/path/of/file     appends the name each time, one a line, and goes on
//
// A name has the form "part.place" and occurs once in the source; the host and each plugin count
// separately. The variables are read once. Thread-safe, never throws, allocates only when
// recording.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

namespace summa {
namespace detail {

class CrashPlan {
 public:
  static CrashPlan& Get() noexcept {
    static CrashPlan plan;
    return plan;
  }
  bool armed() const noexcept { return crash_.wanted > 0 || freeze_.wanted > 0 || record_ >= 0; }

  void Reached(std::string_view name) noexcept {
    if (record_ >= 0) Record(name);
    if (crash_.Hit(name)) raise(SIGKILL);
    if (freeze_.Hit(name)) raise(SIGSTOP);
  }

 private:
  struct Point {
    std::string_view name;  // in the environment of the process, which stays as it is
    long wanted = 0;        // 0: not armed
    std::atomic<long> reached{0};

    explicit Point(const char* variable) noexcept {
      const char* text = std::getenv(variable);
      if (text == nullptr) return;
      const std::string_view whole(text);
      const std::size_t colon = whole.find(':');
      name = whole.substr(0, colon);
      wanted = colon == std::string_view::npos ? 1 : std::atol(text + colon + 1);
    }
    bool Hit(std::string_view at) noexcept {
      return wanted > 0 && name == at && reached.fetch_add(1) + 1 == wanted;
    }
  };

  CrashPlan() noexcept : crash_("SUMMA_CRASH_AT"), freeze_("SUMMA_FREEZE_AT") {
    const char* path = std::getenv("SUMMA_CRASH_RECORD");
    if (path != nullptr) record_ = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  }

  // One write, so that the lines of several threads and modules do not mix.
  void Record(std::string_view name) const noexcept {
    try {
      const std::string line = std::string(name) + "\n";
      static_cast<void>(write(record_, line.data(), line.size()) == 0);
    } catch (...) {
      // A recording that lacks a line fails the test that reads it.
    }
  }

  Point crash_, freeze_;
  int record_ = -1;
};

}  // namespace detail

inline void CrashPoint(std::string_view name) noexcept {
  detail::CrashPlan& plan = detail::CrashPlan::Get();
  if (plan.armed()) plan.Reached(name);
}

}  // namespace summa
