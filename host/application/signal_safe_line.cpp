#include "host/application/signal_safe_line.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

namespace summa::host {
namespace {

// A pipe that nobody reads must not keep a broken process from ending.
constexpr int kReaderTimeoutMilliseconds = 200;
// Bytes of the buffer that values leave for what ends them and the line.
constexpr std::size_t kReserve = 8;

// The digits of a number, at the end of the buffer.
struct Digits {
  Digits(std::uint64_t value, unsigned base, std::size_t least) {
    do {
      *--begin = "0123456789abcdef"[value % base];
      value /= base;
    } while (value > 0);
    while (static_cast<std::size_t>(text + sizeof text - 1 - begin) < least) *--begin = '0';
  }
  char text[32] = {};
  char* begin = text + sizeof text - 1;
};

}  // namespace

SignalSafeLine::SignalSafeLine(LogFormat format, const char* code, const char* message)
    : format_(format) {
  if (format_ == LogFormat::kJson) {
    Add("{\"ts\":\"");
    AddTime();
    Add("\",\"level\":\"error\",\"code\":\"");
    begin_ = size_;
    Add(code);
    Add("\",\"message\":\"");
    AddClean(message);
    Add("\"");
  } else {
    AddTime();
    Add(" error ");
    begin_ = size_;
    Add(code);
    Add(" ");
    AddClean(message);
  }
}

void SignalSafeLine::Field(const char* name, const char* value) {
  if (size_ + std::strlen(name) + 2 * kReserve > kCapacity) return;  // a name is complete or absent
  const bool json = format_ == LogFormat::kJson;
  Add(json ? ",\"" : " ");
  Add(name);
  Add(json ? "\":\"" : "=\"");
  AddClean(value);
  Add("\"");
}

void SignalSafeLine::Field(const char* name, std::uint64_t value, bool hexadecimal) {
  char text[40] = "0x";
  std::size_t size = hexadecimal ? 2 : 0;
  const Digits digits(value, hexadecimal ? 16 : 10, 1);
  for (const char* digit = digits.begin; *digit != '\0'; ++digit) text[size++] = *digit;
  text[size] = '\0';
  Field(name, text);
}

void SignalSafeLine::Write() {
  Add(format_ == LogFormat::kJson ? "}\n" : "\n");
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  if (poll(&room, 1, kReaderTimeoutMilliseconds) != 1) return;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text_, size_);
}

void SignalSafeLine::Add(const char* text) {
  for (; *text != '\0' && size_ + 1 < kCapacity; ++text) text_[size_++] = *text;
}

void SignalSafeLine::AddClean(const char* text) {
  for (; *text != '\0' && size_ + kReserve < kCapacity; ++text) {
    if (*text == '"' || *text == '\\') Add("\\");
    const bool plain = *text >= ' ' && *text < 0x7F;
    const char one[2] = {plain ? *text : '?', '\0'};
    Add(one);
  }
}

// 2026-11-28T17:00:00.123Z; gmtime() takes a lock.
void SignalSafeLine::AddTime() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto seconds = static_cast<std::uint64_t>(now.tv_sec);
  const std::uint64_t in_day = seconds % 86400;
  // Days since 0000-03-01, in eras of 400 years.
  const std::uint64_t days = seconds / 86400 + 719468;
  const std::uint64_t era = days / 146097, of_era = days % 146097;
  const std::uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::uint64_t march = (5 * of_year + 2) / 153;
  const std::uint64_t month = march < 10 ? march + 3 : march - 9;
  const auto put = [this](std::uint64_t value, std::size_t least, const char* after) {
    Add(Digits(value, 10, least).begin);
    Add(after);
  };
  put(year + era * 400 + (month <= 2 ? 1 : 0), 4, "-");
  put(month, 2, "-");
  put(of_year - (153 * march + 2) / 5 + 1, 2, "T");
  put(in_day / 3600, 2, ":");
  put(in_day / 60 % 60, 2, ":");
  put(in_day % 60, 2, ".");
  put(static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000, 3, "Z");
}

}  // namespace summa::host
