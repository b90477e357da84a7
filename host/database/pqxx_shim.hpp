// The only place that includes libpqxx and knows its major version (6 and 7). Statements of the
// control plane, failures as SqlFailure. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/database/session.hpp"

namespace summa::host {

using ControlRows = std::vector<std::vector<std::optional<std::string>>>;
using ControlParameters = std::vector<std::optional<std::string>>;

// One open read-write transaction.
class ControlTransaction {
 public:
  virtual ~ControlTransaction() = default;
  virtual ControlRows Exec(const std::string& sql, const ControlParameters& parameters) = 0;
  virtual void ExecScript(const std::string& sql) = 0;  // several statements, no parameters
};

class ControlConnection {
 public:
  explicit ControlConnection(const DatabaseSettings& settings);  // SH-0401
  ~ControlConnection();

  // Runs `body` in one transaction and commits it; rolled back when it throws. A lost connection is
  // SH-0402, during COMMIT SH-0404; it never reconnects by itself, the object is broken then.
  void Run(const std::function<void(ControlTransaction&)>& body);
  bool broken() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
