#include "host/observe/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
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
  void Flush() { logger_.flush(); }

  void Write(LogLevel level, std::string_view code, std::string_view message,
             std::span<const LogField> fields) {
    LogLine line{SystemClock().UnixTime(), level, code, message, fields, 0};
    {
      const std::lock_guard lock(mutex_);
      const auto repeated = fold_.Admit(Key(line), SystemClock().BootTime());
      if (!repeated) return;
      line.repeated = *repeated;
    }
    const std::string text =
        format_ == LogFormat::kJson ? JsonLine(line) : TextLine(line, colours_);
    logger_.log(spdlog::level::info, spdlog::string_view_t(text.data(), text.size()));
  }

 private:
  // Two workers with the same trouble are two lines.
  static std::string Key(const LogLine& line) {
    std::string key(line.code);
    key += '\n';
    key += line.message;
    for (const LogField& field : line.fields) {
      if (field.name != "worker" && field.name != "plugin") continue;
      key += '\n';
      key += field.value;
    }
    return key;
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
