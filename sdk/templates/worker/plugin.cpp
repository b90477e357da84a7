// Counts the accounts of the ledger by their status.
#include <summa/plugin.hpp>

#include <memory>

#include "census.hpp"

namespace account_census {
namespace {

// The verb `account-census show`.
summa::CommandResult Show(const summa::CommandCall& call) {
  summa::Session session(call.sql());  // reading needs no transaction
  const summa::Result counts =
      session.Exec("SELECT status, accounts FROM account_census.status ORDER BY status");
  summa::JsonWriter json;
  json.BeginObject().Key("accounts").BeginArray();
  for (const summa::Row row : counts) {
    json.BeginObject()
        .Member("status", row.Get<std::string_view>("status"))
        .Member("accounts", row.Get<std::int64_t>("accounts"))
        .EndObject();
  }
  json.EndArray().EndObject();
  return {json.Take(), false};
}

class AccountCensus final : public summa::Plugin {
 public:
  explicit AccountCensus(summa::Host host) : Plugin(host) {}

  void Configure(const summa::Config& config) override {
    std::optional<std::int64_t> alarm_above;
    if (config.Find("alarm_above")) alarm_above = config.Integer("alarm_above");
    census_ = std::make_unique<Census>(host(), alarm_above);
  }
  std::vector<summa::WorkerBinding> Workers() override {
    return {{"account-census", census_.get()}};
  }
  std::vector<summa::CommandBinding> Commands() override { return {{"account-census show", Show}}; }

 private:
  std::unique_ptr<Census> census_;
};

}  // namespace
}  // namespace account_census

SUMMA_PLUGIN(account_census::AccountCensus)
