// Takes an unreachable service for a mistake in the configuration, and a stopped state for the end.
#include <summa/plugin.hpp>

#include <stdexcept>

namespace {

class GivesUp final : public summa::Plugin {
 public:
  explicit GivesUp(summa::Host host) : Plugin(host) {}
  void Start() override {
    if (stopped_) throw std::logic_error("it was stopped before");
    summa::Session(host().sql()).Exec("SELECT 1");
  }
  void Stop() override { stopped_ = true; }

 private:
  bool stopped_ = false;
};

}  // namespace

SUMMA_PLUGIN(GivesUp)
