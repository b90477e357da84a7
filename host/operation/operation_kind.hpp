// What the manifest of a plugin says of one kind of its operations.
#pragma once

#include <string>

namespace summa::host {

struct OperationKind {
  std::string kind;  // unique in the plugin
  std::string summary;
  std::string worker;  // of the same plugin; runs them under its lease
  int version = 1;     // of what phase and cursor mean; a plugin leaves greater ones alone
  int retries = 5;     // consecutive failures before the operation is failed; 0: the worker's rules
};

}  // namespace summa::host
