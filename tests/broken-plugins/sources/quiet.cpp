// Does nothing and has nothing, whatever its manifest says.
#include <summa/plugin.hpp>

namespace {

class Quiet final : public summa::Plugin {
 public:
  explicit Quiet(summa::Host host) : Plugin(host) {}
};

}  // namespace

SUMMA_PLUGIN(Quiet)
