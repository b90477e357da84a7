// A connection that can only read: each question is a transaction of its own. One thread.
#pragma once

#include <memory>
#include <string>

#include "host/database/control_connection.hpp"

namespace summa::host {

class ReadOnlyDatabase {
 public:
  explicit ReadOnlyDatabase(DatabaseSettings settings);  // connects: SH-0401

  ControlRows Query(const std::string& sql, const ControlParameters& parameters = {});
  // The first value; empty when there is no row or it is NULL.
  std::string Value(const std::string& sql, const ControlParameters& parameters = {});
  // Several questions in one transaction.
  void Run(const std::function<void(ControlTransaction&)>& body);

  std::string server() const { return connection_->server(); }
  const DatabaseSettings& settings() const { return settings_; }

 private:
  const DatabaseSettings settings_;
  std::unique_ptr<ControlConnection> connection_;
};

}  // namespace summa::host
