// The form of a log line. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "host/clock.hpp"
#include "host/observe/log.hpp"

namespace summa::host {

struct LogLine {
  UnixTime unix_time;
  LogLevel level = LogLevel::kInfo;
  std::string_view code;
  std::string_view message;
  std::span<const LogField> fields;
  std::int64_t repeated = 0;  // equal lines held back before this one
};

std::string_view LevelName(LogLevel level);
// 2026-11-22T15:00:00.123Z warn  SH-0402 message key=value
std::string TextLine(const LogLine& line, bool colours);
// {"ts":...,"level":...,"code":...,"message":...,"key":"value"}
std::string JsonLine(const LogLine& line);

}  // namespace summa::host
