#include <summa/plugin.hpp>

namespace {

class Thrower final : public summa::Worker {
 public:
  summa::TickResult Run(const summa::Tick&) override { throw std::logic_error("row 7 is odd"); }
};

class ThrowsInWorker final : public summa::Plugin {
 public:
  explicit ThrowsInWorker(summa::Host host) : Plugin(host) {}
  std::vector<summa::WorkerBinding> Workers() override { return {{"throwing-worker", &thrower_}}; }

 private:
  Thrower thrower_;
};

}  // namespace

SUMMA_PLUGIN(ThrowsInWorker)
