// Catches signals that are the host's.
#include <summa/plugin.hpp>

#include <csignal>

namespace {

class TakesSignals final : public summa::Plugin {
 public:
  explicit TakesSignals(summa::Host host) : Plugin(host) {}
  void Start() override {
    std::signal(SIGTERM, [](int) {});
  }
};

}  // namespace

SUMMA_PLUGIN(TakesSignals)
