// Uses a metric, a code and a service that its manifest does not name.
#include <summa/plugin.hpp>

namespace {

class UndeclaredThings final : public summa::Plugin {
 public:
  explicit UndeclaredThings(summa::Host host) : Plugin(host) {}
  void Start() override {
    host().Counter("summa_undeclared_total", "Counts.").Add(1);
    host().Warn("XY-0007", "something happened");
    try {
      static_cast<void>(host().FindService(SUMMA_BUS_V1, "bus"));
    } catch (const summa::Error&) {
      // As if it were optional.
    }
  }
};

}  // namespace

SUMMA_PLUGIN(UndeclaredThings)
