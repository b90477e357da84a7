// Errors of the host as people see them: a stable code, what happened, where, what to do.
//
// Operational failures travel as `Failure` and are caught at the edges (a verb of the command line,
// a run of a worker, the start of a plugin). The catalogue in errors/*.yaml says of every code what
// it means and which exit code it gives; `summa-host explain CODE` prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "summa/abi/plugin.h"

namespace summa::host {

// All that is decided about a failure is decided by its kind, its code and its SQLSTATE. The texts
// are for people.
struct Error {
  std::string code;     // "SH-0201"; must stand in errors/*.yaml or in a plugin's manifest
  std::string message;  // what happened, what was found, what was expected
  std::string hint;     // what to do; may be empty
  std::string where;    // file:line:col, a row id, a path; may be empty
  // SUMMA_E_*: what kind of failure it is; SUMMA_OK: the catalogue says it for the code.
  std::int32_t kind = SUMMA_OK;
  std::string sqlstate = {};  // five characters, when a database said no
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

// The kind of an error: its own, else that of its code in the catalogue, else SUMMA_E_INTERNAL.
std::int32_t KindOf(const Error& error);
// The exit code of a command that ends with this failure. The only place that says so.
int ExitCode(const Error& error);

}  // namespace summa::host
