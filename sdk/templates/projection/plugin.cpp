// Counts how often each holder is paid, by category.
#include <summa/plugin.hpp>

#include "credits.hpp"

namespace regular_credits {
namespace {

class RegularCredits final : public summa::Plugin {
 public:
  explicit RegularCredits(summa::Host host) : Plugin(host) {}
  std::vector<const summa::Projection*> Projections() override { return {&credits_}; }

 private:
  Credits credits_;
};

}  // namespace
}  // namespace regular_credits

SUMMA_PLUGIN(regular_credits::RegularCredits)
