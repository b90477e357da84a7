// Transactions of the control plane: migrations, worker state, what doctor asks. Failures as
// SqlFailure, with the server's SQLSTATE. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/database/session.hpp"
#include "host/database/text_rows.hpp"

namespace summa::host {

class PqConnection;

using ControlRows = TextRows;
using ControlParameters = TextParameters;

// One open read-write transaction.
class ControlTransaction {
 public:
  ControlTransaction(PqConnection& connection, const DatabaseSettings& settings)
      : connection_(connection), settings_(settings) {}

  ControlRows Exec(const std::string& sql, const ControlParameters& parameters);
  QueryFunction Querier() {
    return [this](const std::string& sql, const ControlParameters& parameters) {
      return Exec(sql, parameters);
    };
  }
  void ExecScript(const std::string& sql);  // several statements, no parameters

 private:
  PqConnection& connection_;
  const DatabaseSettings& settings_;
};

class ControlConnection {
 public:
  // What OpenConnection throws.
  explicit ControlConnection(const DatabaseSettings& settings);
  ~ControlConnection();

  // Runs `body` in one transaction and commits it; rolled back when it throws. A lost connection is
  // SH-0402, during COMMIT SH-0404; it never reconnects by itself, the object is broken then. A
  // server that answers neither the statement nor its timeout counts as lost.
  void Run(const std::function<void(ControlTransaction&)>& body);
  bool broken() const;
  bool usable();  // not broken; its server has not closed it and still is the right one
  std::string server() const;  // "primary db1 (10.0.0.1):5432"

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
