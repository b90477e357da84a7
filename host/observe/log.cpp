#include "host/observe/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <ostream>
#include <sstream>
#include <streambuf>
#include <utility>
#include <vector>

#include "host/clock.hpp"
#include "host/observe/line_fold.hpp"
#include "host/observe/log_line.hpp"
#include "host/observe/log_writer.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// Of lines that wait for a reader: some ten thousand, an hour of a host in trouble.
constexpr std::size_t kCapacityBytes = 1 << 20;
// A process that is ending waits this long for a reader that reads nothing.
constexpr Microseconds kReaderTimeout = std::chrono::milliseconds(500);

std::atomic<bool> waits_for_readers{true};

// Written before other threads are started.
std::string& ProcessName() {
  static auto& name = *new std::string;
  return name;
}

// Lives until the process ends, also while threads that were abandoned still log.
class Logger {
 public:
  Logger()
      : colours_(isatty(STDERR_FILENO) == 1),
        writer_(STDERR_FILENO, kCapacityBytes, [this](std::uint64_t lines) {
          const LogField count[] = {{"lines", std::to_string(lines)}};
          return Text({SystemClock().UnixNow(), LogLevel::kWarn, "SH-0907",
                       "lines of the log were lost because they were not read in time", count, 0});
        }) {}

  void Configure(LogLevel level, LogFormat format) {
    level_ = level;
    format_ = format;
  }
  bool Enabled(LogLevel level) const { return level >= level_; }
  void Flush() {
    WriteHeldBack(true);
    writer_.Flush([] { return !WaitsForReaders(); }, kReaderTimeout);
  }
  void ForgetRepeats() {
    WriteHeldBack(true);
    const MutexLock lock(mutex_);
    fold_.Clear();
  }
  LogWriter& writer() { return writer_; }
  LogLevel level() const { return level_; }
  LogFormat format() const { return format_; }

  void Write(LogLevel level, std::string_view code, std::string_view message,
             std::span<const LogField> fields) {
    LogLine line{SystemClock().UnixNow(), level, code, message, fields, 0};
    WriteHeldBack(false);
    {
      const MutexLock lock(mutex_);
      const auto repeated = fold_.Admit(Key(line), SystemClock().BootNow(), fields);
      if (!repeated) return;
      line.repeated = *repeated;
    }
    Put(line);
  }
  // What was held back and will not be reported by a later line.
  void WriteHeldBack(bool all) {
    std::vector<LineFold::Ended> ended;
    {
      const MutexLock lock(mutex_);
      ended = fold_.TakeEnded(SystemClock().BootNow(), all);
    }
    for (const LineFold::Ended& each : ended) {
      std::vector<std::string> parts;  // as Key() put them together
      std::istringstream text(each.key);
      for (std::string part; std::getline(text, part);) parts.push_back(part);
      parts.resize(std::max<std::size_t>(parts.size(), kKeyParts));
      std::vector<LogField> fields;
      for (const auto& [name, value] : each.fields) fields.push_back({name, value});
      const auto level = static_cast<LogLevel>(std::stoi(parts[0]));
      Put({SystemClock().UnixNow(), level, parts[1], parts[2], fields, each.held_back});
    }
  }

 private:
  static constexpr std::size_t kKeyParts = 4;  // level, code, message, who

  // Two workers with the same trouble are two lines.
  static std::string Key(const LogLine& line) {
    std::string key = std::to_string(static_cast<int>(line.level));
    key += '\n';
    key += line.code;
    key += '\n';
    key += line.message;
    key += '\n';
    for (const LogField& field : line.fields) {
      if (field.name != "worker" && field.name != "plugin") continue;
      if (key.back() != '\n') key += ' ';
      key += field.value;
    }
    return key;
  }
  std::string Text(LogLine line) const {
    std::vector<LogField> fields;
    if (!ProcessName().empty()) {
      fields.assign(line.fields.begin(), line.fields.end());
      fields.push_back({"process", ProcessName()});
      line.fields = fields;
    }
    return (format_ == LogFormat::kJson ? JsonLine(line) : TextLine(line, colours_)) + '\n';
  }
  void Put(const LogLine& line) { writer_.Put(Text(line)); }

  const bool colours_;
  std::atomic<LogLevel> level_{LogLevel::kInfo};
  std::atomic<LogFormat> format_{LogFormat::kText};
  Mutex mutex_;
  LineFold fold_ SUMMA_GUARDED_BY(mutex_);
  LogWriter writer_;
};

Logger& TheLogger() {
  static auto* logger = new Logger;
  return *logger;
}

// What is not a line of the log but goes to the same place, in order with it.
class ErrorBuffer : public std::streambuf {
 public:
  enum class Flush {
    kWholeLines,  // of whoever writes to std::cerr, which nobody waits for
    kEverything   // nothing of it is lost: when much waits already, it waits for the reader
  };
  explicit ErrorBuffer(Flush flush) : flush_(flush) {}

 protected:
  int_type overflow(int_type character) override {
    if (!traits_type::eq_int_type(character, traits_type::eof())) {
      const char text = traits_type::to_char_type(character);
      xsputn(&text, 1);
    }
    return traits_type::not_eof(character);
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    const MutexLock lock(mutex_);
    text_.append(text, static_cast<std::size_t>(size));
    return size;
  }
  int sync() override {
    const MutexLock lock(mutex_);
    LogWriter& writer = TheLogger().writer();
    if (flush_ == Flush::kWholeLines) {
      const std::size_t end = text_.rfind('\n') + 1;
      writer.Put(text_.substr(0, end));
      text_.erase(0, end);
      return 0;
    }
    if (waiting_ += text_.size(); waiting_ > kCapacityBytes / 2) {
      writer.Flush([] { return !WaitsForReaders(); }, kReaderTimeout);
      waiting_ = text_.size();
    }
    writer.Put(std::exchange(text_, {}));
    return 0;
  }

 private:
  const Flush flush_;
  Mutex mutex_;
  std::string text_ SUMMA_GUARDED_BY(mutex_);
  std::size_t waiting_ SUMMA_GUARDED_BY(mutex_) = 0;  // bytes, at most, since the last wait
};

}  // namespace

void CaptureStderr() {
  cookie_io_functions_t functions{};
  functions.write = [](void*, const char* text, std::size_t size) {
    TheLogger().writer().Put(std::string(text, size));
    return static_cast<ssize_t>(size);
  };
  FILE* captured = fopencookie(nullptr, "w", functions);
  if (captured == nullptr) return;  // out of memory: as it was
  std::setvbuf(captured, nullptr, _IOLBF, BUFSIZ);
  stderr = captured;
  std::cerr.rdbuf(new ErrorBuffer(ErrorBuffer::Flush::kWholeLines));
}

void NameLogProcess(std::string name) { ProcessName() = std::move(name); }

void StopWaitingForReaders() { waits_for_readers = false; }
bool WaitsForReaders() { return waits_for_readers; }
std::uint64_t LogLinesLost() { return TheLogger().writer().lost(); }
bool LogIdle() { return TheLogger().writer().idle(); }
void EndLog() { TheLogger().writer().End(); }
std::ostream& ErrorStream() {
  static auto* stream = new std::ostream(new ErrorBuffer(ErrorBuffer::Flush::kEverything));
  return *stream;
}

void ConfigureLog(LogLevel level, LogFormat format) { TheLogger().Configure(level, format); }
LogLevel CurrentLogLevel() { return TheLogger().level(); }
LogFormat CurrentLogFormat() { return TheLogger().format(); }
void FlushLog() { TheLogger().Flush(); }
void BeginAnswer() { TheLogger().ForgetRepeats(); }
bool LogEnabled(LogLevel level) { return TheLogger().Enabled(level); }

void Log(LogLevel level, std::string_view code, std::string_view message,
         std::span<const LogField> fields) {
  if (!LogEnabled(level)) return;
  TheLogger().Write(level, code, message, fields);
}

void LogError(LogLevel level, const Error& error, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  std::vector<LogField> all(fields);
  if (!error.where.empty()) all.push_back({"where", error.where});
  if (!error.hint.empty()) all.push_back({"hint", error.hint});
  Log(level, error.code, error.message, all);
}

}  // namespace summa::host
