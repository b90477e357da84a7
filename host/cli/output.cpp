#include "host/cli/output.hpp"

#include <ostream>
#include <summa/json.hpp>

#include "host/observe/log.hpp"

namespace summa::host {
namespace {

std::string Envelope(const std::string& command, const VerbResult& result, int exit_code,
                     const std::string& started_at, std::int64_t duration_ms) {
  JsonWriter json;
  json.BeginObject().Member("command", command).Member("ok", exit_code == 0);
  json.TextOrNull("code", result.errors.empty() ? "" : result.errors.front().code);
  json.Member("startedAt", started_at).Member("durationMs", duration_ms);
  if (!result.errors.empty()) json.Key("error").Raw(ToJson(result.errors.front()));
  if (result.errors.size() > 1) {
    json.Key("errors").BeginArray();
    for (const Error& error : result.errors) json.Raw(ToJson(error));
    json.EndArray();
  }
  std::string text = json.Take();
  const std::string members = ObjectMembers(result.json);
  if (!members.empty()) text += "," + members;
  return text + "}";
}

}  // namespace

Output::Output(std::ostream& out, std::ostream& err, bool terminal)
    : out_(out),
      err_(err),
      terminal_(terminal),
      started_at_(std::chrono::system_clock::now()),
      started_(std::chrono::steady_clock::now()),
      progress_(terminal) {}

void Output::Row(std::string_view json_object) {
  const MutexLock lock(mutex_);
  EndProgress();
  if (options_.json) {
    out_ << json_object << '\n';
  } else {
    out_ << rows_.Render(json_object);
  }
  out_.flush();
}

void Output::Progress(std::string_view label, std::int64_t done, std::int64_t total) {
  // Work does not wait for the reader of its progress.
  if (!LogIdle()) return;
  const MutexLock lock(mutex_);
  const std::optional<std::string> line =
      progress_.Line(label, done, total, SystemClock().BootNow());
  if (!line) return;
  if (terminal_) {
    err_ << '\r' << *line << "\x1b[K";
    progress_open_ = true;
  } else {
    err_ << *line << '\n';
  }
  err_.flush();
}

void Output::EndProgress() {
  if (progress_open_) err_ << '\n' << std::flush;
  progress_open_ = false;
}

int Output::Text(std::string_view text) {
  const MutexLock lock(mutex_);
  out_ << text;
  return CheckWritten(0);
}

// A result that nobody could read (a full disk behind stdout) is not a success.
int Output::CheckWritten(int exit_code) {
  out_.flush();
  if (!out_ && exit_code == 0) {
    const Error lost{
        "SH-0906", "the result could not be written to standard output",
        "Check whether the disk is full, or whether the program that reads the output has ended.",
        ""};
    PrintError(lost);
    exit_code = ExitCode(lost);
  }
  FlushLog();
  return exit_code;
}

void Output::PrintError(const Error& error) {
  const bool color = terminal_ && options_.color;
  err_ << (color ? "\x1b[31merror\x1b[0m " : "error ") << error.code << ' ';
  if (!error.where.empty()) err_ << error.where << ": ";
  err_ << error.message << '\n';
  if (!error.hint.empty()) err_ << "  fix: " << error.hint << '\n';
  err_.flush();
}

int Output::Finish(const VerbResult& result) {
  const MutexLock lock(mutex_);
  EndProgress();
  int exit_code = result.exit_code;
  if (exit_code == 0 && !result.errors.empty()) exit_code = ExitCode(result.errors.front());
  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started_);
  if (options_.json) {
    out_ << Envelope(command_, result, exit_code,
                     TimeText(std::chrono::floor<Microseconds>(started_at_)), duration.count())
         << '\n';
  } else {
    if (!result.text.empty()) {
      out_ << result.text << (result.text.back() == '\n' ? "" : "\n");
    } else if (!ObjectMembers(result.json).empty()) {
      out_ << RenderJson(result.json);
    }
    out_.flush();
    for (const Error& error : result.errors) PrintError(error);
  }
  if (!result.unread) return CheckWritten(exit_code);
  out_.flush();
  FlushLog();
  return exit_code;
}

}  // namespace summa::host
