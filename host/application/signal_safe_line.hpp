// A line of the log, made and written where nothing may be allocated or locked: in a handler of
// signals. Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "host/observe/log.hpp"

namespace summa::host {

class SignalSafeLine {
 public:
  SignalSafeLine(LogFormat format, const char* code, const char* message);
  void Field(const char* name, const char* value);
  void Field(const char* name, std::uint64_t value, bool hexadecimal);
  // Ends the line and writes it to standard error, if that takes it within a moment.
  void Write();

  // Message and fields without time and level.
  const char* text() const { return text_ + begin_; }

 private:
  void Add(const char* text);
  void AddClean(const char* text);
  void AddTime();

  static constexpr std::size_t kCapacity = 1536;
  const LogFormat format_;
  char text_[kCapacity] = {};
  std::size_t size_ = 0, begin_ = 0;
};

}  // namespace summa::host
