// Errors of the host as people see them: a stable code, what happened, where, what to do.
//
// Operational failures travel as `Failure` and are caught at the edges (a verb of the command line,
// a run of a worker, the start of a plugin). The catalogue in errors/*.yaml says of every code what
// it means and which exit code it gives; `summa-host explain CODE` prints it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace summa::host {

struct Error {
  std::string code;     // "SH-0201"; must stand in errors/*.yaml or in a plugin's manifest
  std::string message;  // what happened, what was found, what was expected
  std::string hint;     // what to do; may be empty
  std::string where;    // file:line:col, a row id, a path; may be empty
  int exit_code = 0;    // 0: as the catalogue says for the code
};

// "SH-0201 summa.yaml:4:3: message. Fix: hint"
std::string ToText(const Error& error);

class Failure : public std::runtime_error {
 public:
  explicit Failure(Error error) : std::runtime_error(ToText(error)), error_(std::move(error)) {}
  Failure(std::string code, std::string message, std::string hint = {}, std::string where = {})
      : Failure(Error{std::move(code), std::move(message), std::move(hint), std::move(where)}) {}
  const Error& error() const { return error_; }

 private:
  Error error_;
};

// One entry of the catalogue.
struct CodeDescription {
  std::string code;
  std::string title;
  int exit_code = 70;
  std::string explanation;  // what it means and when it happens
  std::string fix;          // what to do
};

// The host's own codes, in the order of errors/*.yaml. Thread-safe.
const std::vector<CodeDescription>& HostCodes();
std::optional<CodeDescription> FindHostCode(std::string_view code);

// The exit code of an error: its own, else the catalogue's, else 70.
int ExitCode(const Error& error);

}  // namespace summa::host
