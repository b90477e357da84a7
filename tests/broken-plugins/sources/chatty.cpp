// Says far more than anybody reads; no two lines are equal.
#include <summa/plugin.hpp>

#include <cstdio>
#include <iostream>

namespace {

class ChattyWorker final : public summa::Worker {
 public:
  explicit ChattyWorker(const summa::Host& host) : host_(host) {}
  summa::TickResult Run(const summa::Tick&) override {
    constexpr int kLinesPerCall = 100;
    constexpr std::size_t kLineBytes = 1000;
    for (int i = 0; i < kLinesPerCall; ++i) {
      host_.Info("line " + std::to_string(++lines_) + std::string(kLineBytes, '.'));
    }
    // As libraries do.
    std::fprintf(stderr, "from a library in C, after %lld\n", static_cast<long long>(lines_));
    std::cerr << "from a library in C++, after " << lines_ << std::endl;
    return {kLinesPerCall, false, std::nullopt};
  }

 private:
  const summa::Host& host_;
  std::int64_t lines_ = 0;
};

class Chatty final : public summa::Plugin {
 public:
  explicit Chatty(summa::Host given) : Plugin(given) {}
  std::vector<summa::WorkerBinding> Workers() override { return {{"chatterer", &worker_}}; }

 private:
  ChattyWorker worker_{host()};
};

}  // namespace

SUMMA_PLUGIN(Chatty)
