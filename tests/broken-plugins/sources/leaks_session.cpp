// A worker that keeps its session from one tick to the next, and never closes it.
#include <summa/plugin.hpp>

namespace {

class Leaker final : public summa::Worker {
 public:
  summa::TickResult Run(const summa::Tick& tick) override {
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): that is the defect
    static_cast<void>((new summa::Session(tick.sql()))->Exec("SELECT 1"));
    return {1, false, std::nullopt};
  }
};

class LeaksSession final : public summa::Plugin {
 public:
  explicit LeaksSession(summa::Host host) : Plugin(host) {}
  std::vector<summa::WorkerBinding> Workers() override {
    return {{"leaks-session-worker", &leaker_}};
  }

 private:
  Leaker leaker_;
};

}  // namespace

SUMMA_PLUGIN(LeaksSession)
