// Counts up to a limit, then idles.
#include <summa/plugin.hpp>

namespace {

class Counter final : public summa::Worker {
 public:
  void set_limit(std::int64_t limit) { limit_ = limit; }
  summa::TickResult Run(const summa::Tick&) override {
    if (count_ < limit_) ++count_;
    return {count_, count_ < limit_, std::nullopt};
  }

 private:
  std::int64_t limit_ = 0;
  std::int64_t count_ = 0;
};

class Good final : public summa::Plugin {
 public:
  explicit Good(summa::Host host) : Plugin(host) {}
  void Configure(const summa::Config& config) override {
    if (config.Find("limit")) counter_.set_limit(config.Integer("limit"));
  }
  std::vector<summa::WorkerBinding> Workers() override { return {{"good-worker", &counter_}}; }

 private:
  Counter counter_;
};

}  // namespace

SUMMA_PLUGIN(Good)
