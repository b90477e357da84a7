// Logs in its constructor, where the host has no services yet.
#include <summa/plugin.hpp>

namespace {

class CallsInCreate final : public summa::Plugin {
 public:
  explicit CallsInCreate(summa::Host given) : Plugin(given) { host().Info("it is created"); }
};

}  // namespace

SUMMA_PLUGIN(CallsInCreate)
