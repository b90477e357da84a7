// The host's log: one line per event with a stable code, as text or JSON, on stderr. Thread-safe.
// Equal lines (code and message) repeated within 10 s are folded into one with a count.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "host/error.hpp"

namespace summa::host {

enum class LogLevel { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3, kOff = 4 };
enum class LogFormat { kText, kJson };

struct LogField {
  std::string_view name;
  std::string value;
};

// kOff: for a verb whose result says what went wrong. Call once at start; before it, lines go to
// stderr as text at level info.
void ConfigureLog(LogLevel level, LogFormat format);
void FlushLog();
bool LogEnabled(LogLevel level);

// code: stable code or empty. message: constant text; what varies goes into fields. Cut at 2,000
// bytes. Never payloads, secrets or connection strings.
void Log(LogLevel level, std::string_view code, std::string_view message,
         std::span<const LogField> fields);
inline void Log(LogLevel level, std::string_view code, std::string_view message,
                std::initializer_list<LogField> fields = {}) {
  Log(level, code, message, std::span<const LogField>(fields.begin(), fields.size()));
}
// An Error as a line: its code, message, hint and place as fields.
void LogError(LogLevel level, const Error& error, std::initializer_list<LogField> fields = {});

}  // namespace summa::host
