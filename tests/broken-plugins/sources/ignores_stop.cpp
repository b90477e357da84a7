// A worker that looks whether it must stop, and goes on.
#include <summa/plugin.hpp>

#include <chrono>

namespace {

class Deaf final : public summa::Worker {
 public:
  summa::TickResult Run(const summa::Tick& tick) override {
    while (!tick.once()) static_cast<void>(tick.Wait(std::chrono::milliseconds(10)));
    return {};
  }
};

class IgnoresStop final : public summa::Plugin {
 public:
  explicit IgnoresStop(summa::Host host) : Plugin(host) {}
  std::vector<summa::WorkerBinding> Workers() override { return {{"ignores-stop-worker", &deaf_}}; }

 private:
  Deaf deaf_;
};

}  // namespace

SUMMA_PLUGIN(IgnoresStop)
