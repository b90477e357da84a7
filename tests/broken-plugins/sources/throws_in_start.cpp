#include <summa/plugin.hpp>

namespace {

class ThrowsInStart final : public summa::Plugin {
 public:
  explicit ThrowsInStart(summa::Host host) : Plugin(host) {}
  void Start() override {
    throw summa::Error(SUMMA_E_UNAVAILABLE, "", "the cache at 127.0.0.1:1 does not answer",
                       "Start the cache");
  }
};

}  // namespace

SUMMA_PLUGIN(ThrowsInStart)
