// Answers over HTTP which accounts a holder has.
#include <summa/plugin.hpp>

#include "accounts.hpp"

namespace holder_accounts {
namespace {

class HolderAccounts final : public summa::Plugin {
 public:
  explicit HolderAccounts(summa::Host host) : Plugin(host) {}
  std::vector<summa::RouteBinding> Routes() override {
    return {{"GET", "/v1/holder-accounts/{holder}", Get}};
  }
};

}  // namespace
}  // namespace holder_accounts

SUMMA_PLUGIN(holder_accounts::HolderAccounts)
