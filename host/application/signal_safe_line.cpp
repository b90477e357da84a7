#include "host/application/signal_safe_line.hpp"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

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
  using namespace std::chrono;
  const auto now = floor<milliseconds>(system_clock::now());
  const auto day = floor<days>(now);
  const year_month_day date(day);
  const hh_mm_ss time(now - day);
  const auto put = [this](auto value, std::size_t least, const char* after) {
    Add(Digits(static_cast<std::uint64_t>(value), 10, least).begin);
    Add(after);
  };
  put(static_cast<int>(date.year()), 4, "-");
  put(static_cast<unsigned>(date.month()), 2, "-");
  put(static_cast<unsigned>(date.day()), 2, "T");
  put(time.hours().count(), 2, ":");
  put(time.minutes().count(), 2, ":");
  put(time.seconds().count(), 2, ".");
  put(time.subseconds().count(), 3, "Z");
}

}  // namespace summa::host
