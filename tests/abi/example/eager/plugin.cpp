// A plugin that takes what it should not, where its configuration says: messages, beside its
// worker, or all sessions of the host.
#include <summa/consumer.hpp>
#include <summa/plugin.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace {

class Idle final : public summa::Worker {
 public:
  summa::TickResult Run(const summa::Tick&) override { return {}; }
};

class Eager final : public summa::Plugin {
 public:
  explicit Eager(summa::Host host) : Plugin(host) {}

  void Configure(const summa::Config& config) override { where_ = config.String("where"); }
  void Start() override {
    if (where_ == "start") Subscribe();
    // Tries until it may, as one that waits for its bus does.
    if (where_ == "thread") {
      thread_ = std::thread([this] {
        while (!stop_) {
          try {
            return Subscribe();
          } catch (const summa::Error&) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
        }
      });
    }
  }
  void Activate() override {
    if (where_ == "activate") Subscribe();
    // Keeps what it gets, until it gets no more.
    while (where_ == "hog") kept_.push_back(std::make_unique<summa::Session>(host().sql()));
  }
  void Deactivate() override {
    if (where_ == "activate") consumer_.reset();
    kept_.clear();
  }
  void Stop() override {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    consumer_.reset();
  }
  std::vector<summa::WorkerBinding> Workers() override { return {{"eager-idle", &idle_}}; }
  std::vector<summa::CommandBinding> Commands() override {
    return {{"eager look", [](const summa::CommandCall&) {
               return summa::CommandResult{R"({"looked":true})", false};
             }}};
  }

 private:
  void Subscribe() {
    summa::SubscribeOptions options;
    options.topics = {"ledger-account-created"};
    options.group = "eager";
    options.consumer = "eager";
    options.handler = [](const summa::ConsumedMessage&) {};
    consumer_ = std::make_unique<summa::Consumer>(
        summa::BusClient(host().FindService(SUMMA_BUS_V1, "bus").service), options);
  }

  std::string where_;
  Idle idle_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
  std::unique_ptr<summa::Consumer> consumer_;
  std::vector<std::unique_ptr<summa::Session>> kept_;
};

}  // namespace

SUMMA_PLUGIN(Eager)
