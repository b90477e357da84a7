#include "host/observe/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <sstream>
#include <vector>

#include "host/clock.hpp"
#include "host/observe/line_fold.hpp"
#include "host/observe/log_line.hpp"

namespace summa::host {
namespace {

// Lives until the process ends, also while threads that were abandoned still log.
class Logger {
 public:
  Logger()
      : logger_("summa-host", std::make_shared<spdlog::sinks::stderr_sink_mt>()),
        colours_(isatty(STDERR_FILENO) == 1) {
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);  // levels are decided here
    logger_.flush_on(spdlog::level::trace);   // a line must not be lost when the process is killed
  }

  void Configure(LogLevel level, LogFormat format) {
    level_ = level;
    format_ = format;
  }
  bool Enabled(LogLevel level) const { return level >= level_; }
  void Flush() {
    WriteHeldBack(true);
    logger_.flush();
  }

  void Write(LogLevel level, std::string_view code, std::string_view message,
             std::span<const LogField> fields) {
    LogLine line{SystemClock().UnixTime(), level, code, message, fields, 0};
    WriteHeldBack(false);
    {
      const std::lock_guard lock(mutex_);
      const auto repeated = fold_.Admit(Key(line), SystemClock().BootTime());
      if (!repeated) return;
      line.repeated = *repeated;
    }
    Put(line);
  }
  // What was held back and is not going to be said by a next line.
  void WriteHeldBack(bool all) {
    std::vector<LineFold::Ended> ended;
    {
      const std::lock_guard lock(mutex_);
      ended = fold_.TakeEnded(SystemClock().BootTime(), all);
    }
    for (const LineFold::Ended& each : ended) {
      std::vector<std::string> parts;  // as Key() put them together
      std::istringstream text(each.key);
      for (std::string part; std::getline(text, part);) parts.push_back(part);
      parts.resize(std::max<std::size_t>(parts.size(), kKeyParts));
      const LogField more[] = {{parts[3].empty() ? "" : "of", parts[3]}};
      const auto level = static_cast<LogLevel>(std::stoi(parts[0]));
      Put({SystemClock().UnixTime(), level, parts[1], parts[2],
           std::span<const LogField>(more, parts[3].empty() ? 0 : 1), each.held_back});
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
  void Put(const LogLine& line) {
    const std::string text =
        format_ == LogFormat::kJson ? JsonLine(line) : TextLine(line, colours_);
    logger_.log(spdlog::level::info, spdlog::string_view_t(text.data(), text.size()));
  }

  spdlog::logger logger_;
  const bool colours_;
  std::atomic<LogLevel> level_{LogLevel::kInfo};
  std::atomic<LogFormat> format_{LogFormat::kText};
  std::mutex mutex_;
  LineFold fold_;
};

Logger& TheLogger() {
  static auto* logger = new Logger;
  return *logger;
}

}  // namespace

void ConfigureLog(LogLevel level, LogFormat format) { TheLogger().Configure(level, format); }
void FlushLog() { TheLogger().Flush(); }
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
