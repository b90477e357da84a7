// Writes a greeting for each account that is created.
#include <summa/plugin.hpp>

#include "greeter.hpp"

namespace account_greeter {
namespace {

// The verb `account-greeter count`. It also starts the plugin, but consumes nothing.
summa::CommandResult Count(const summa::CommandCall& call) {
  summa::Session session(call.sql());
  summa::JsonWriter json;
  json.BeginObject()
      .Member("greetings",
              session.Exec("SELECT count(*) FROM account_greeter.greeting").Value<std::int64_t>())
      .EndObject();
  return {json.Take(), false};
}

class AccountGreeter final : public summa::Plugin {
 public:
  explicit AccountGreeter(summa::Host host) : Plugin(host), greeter_(host) {}
  std::vector<summa::WorkerBinding> Workers() override { return {{"account-greeter", &greeter_}}; }
  std::vector<summa::CommandBinding> Commands() override {
    return {{"account-greeter count", Count}};
  }
  std::vector<summa::Finding> Failing() override { return greeter_.Failing(); }

 private:
  Greeter greeter_;
};

}  // namespace
}  // namespace account_greeter

SUMMA_PLUGIN(account_greeter::AccountGreeter)
