// Where results and messages go: results on stdout, as text or as one JSON envelope; everything
// else on stderr.
#pragma once

#include <chrono>
#include <iosfwd>
#include <string>
#include <string_view>

#include "host/cli/progress_display.hpp"
#include "host/cli/render.hpp"
#include "host/cli/verb.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

// Row() and Progress() are thread-safe: a verb that takes long says with them what it is doing.
class Output {
 public:
  // Time runs from here on.
  Output(std::ostream& out, std::ostream& err, bool terminal);

  void Configure(const GlobalOptions& options) { options_ = options; }
  void SetCommand(std::string words) { command_ = std::move(words); }

  void Row(std::string_view json_object);  // a line of a stream of results, on stdout
  void Progress(std::string_view label, std::int64_t done, std::int64_t total);
  // Prints the result and gives the exit code. An exit code of 0 becomes that of the first error.
  int Finish(const VerbResult& result);
  int Text(std::string_view text);  // help and the like, as it is; gives the exit code

 private:
  void EndProgress() SUMMA_REQUIRES(mutex_);
  void PrintError(const Error& error);
  int CheckWritten(int exit_code);

  std::ostream& out_;
  std::ostream& err_;
  const bool terminal_;
  GlobalOptions options_;
  std::string command_;
  const std::chrono::system_clock::time_point started_at_;
  const std::chrono::steady_clock::time_point started_;
  Mutex mutex_;
  RowRenderer rows_ SUMMA_GUARDED_BY(mutex_);
  // A line without its line break stands on the terminal.
  bool progress_open_ SUMMA_GUARDED_BY(mutex_) = false;
  ProgressDisplay progress_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::host
