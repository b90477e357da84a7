#include "host/doctor/read_only_database.hpp"

namespace summa::host {

ReadOnlyDatabase::ReadOnlyDatabase(DatabaseSettings settings)
    : settings_(std::move(settings)), connection_(std::make_unique<ControlConnection>(settings_)) {}

void ReadOnlyDatabase::Run(const std::function<void(ControlTransaction&)>& body) {
  if (!connection_->usable()) connection_ = std::make_unique<ControlConnection>(settings_);
  connection_->Run([&](ControlTransaction& transaction) {
    transaction.ExecScript("SET TRANSACTION READ ONLY");
    body(transaction);
  });
}

ControlRows ReadOnlyDatabase::Query(const std::string& sql, const ControlParameters& parameters) {
  ControlRows rows;
  Run([&](ControlTransaction& transaction) { rows = transaction.Exec(sql, parameters); });
  return rows;
}

std::string ReadOnlyDatabase::Value(const std::string& sql, const ControlParameters& parameters) {
  const ControlRows rows = Query(sql, parameters);
  return rows.empty() ? std::string() : rows.at(0).at(0).value_or("");
}

}  // namespace summa::host
