// The host's log: one line per event with a stable code, as text or JSON, on stderr. Thread-safe.
// Equal lines (level, code, message and the fields "worker" and "plugin") repeated within 10 s are
// folded into one with a count and the other fields of the last one. Nobody who
// logs waits for the reader of stderr: lines that it does not take in time are lost, counted and
// said (SH-0907).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
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
// From now on every line has this field `process`: for one of several processes that write to one
// log. Call once, before other threads are started.
void NameLogProcess(std::string name);
// What ConfigureLog() set last. Lock-free once something was logged.
LogLevel CurrentLogLevel();
LogFormat CurrentLogFormat();
// Waits until what was logged is written; for a reader that reads nothing, half a second once the
// process StopWaitingForReaders().
void FlushLog();
// The process is to end, or is a service, which must not depend on who reads what it says. Until
// then the ends of verbs wait for their readers (a pager), so that nothing of theirs is missing.
void StopWaitingForReaders();
bool WaitsForReaders();
// Since the start of the process.
std::uint64_t LogLinesLost();
// Everything that was logged is written. Lock-free once something was logged.
bool LogIdle();
// What a broken process says last is its last line: from now on no line is begun; what waits, and
// what threads that still run log, is lost. A line that is being written may still come: LogIdle()
// says when. Lock-free once something was logged.
void EndLog();
// For lines that answer a person, which are written each time: what was held back is told now, and
// no line is a repeat of those before.
void BeginAnswer();
// stderr for other texts than lines of the log, in order with them; written at each flush. One
// thread at a time.
std::ostream& ErrorStream();
// From now on the C library's stderr goes the same way as the log: what libraries write there
// (libpq its notices while a connection is made) keeps nobody waiting either. Call once, at start.
void CaptureStderr();
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
