// Promises a worker and binds no object to its name.
#include <summa/plugin.hpp>

namespace {

class Unbound final : public summa::Plugin {
 public:
  explicit Unbound(summa::Host given) : Plugin(given) {}
  std::vector<summa::WorkerBinding> Workers() override { return {{"nobody", nullptr}}; }
};

}  // namespace

SUMMA_PLUGIN(Unbound)
