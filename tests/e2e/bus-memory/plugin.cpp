// A second bus beside bus-redis: the bus in memory of the test kit, which has no capability. It is
// there to show what a bus plugin has to bring itself, which is not much.
#include <summa/bus_plugin.hpp>
#include <summa/plugin.hpp>
#include <summa/testkit/memory_bus.hpp>

namespace summa::bus_memory {
namespace {

class BusMemoryPlugin final : public Plugin {
 public:
  explicit BusMemoryPlugin(Host host)
      : Plugin(host), reporter_(host, {"bus-memory", "the memory", "BM-0001", "there is no way"}) {}

  void Configure(const Config& config) override {
    stream_ = config.String("stream");
    for (std::int64_t i = 0; i < config.Integer("messages"); ++i) Publish(std::to_string(i), i > 0);
  }
  void Start() override {
    reporter_.Begin();
    bus_.on_published = [this](auto messages, auto receipts) {
      reporter_.Published(messages, receipts, std::chrono::seconds(0));
    };
    reporter_.Up("publish", "memory");
  }
  Bus* ProvidedBus() override { return &bus_; }
  std::vector<Finding> Failing() override { return reporter_.Failing(); }
  std::string Status() override {
    std::int64_t letters = 0;
    for (const testkit::StoredMessage& message : bus_.Stored()) {
      letters += message.stream == stream_ + ".dlq" ? 1 : 0;
    }
    return JsonWriter().BeginObject().Member("deadLetters", letters).EndObject().Take();
  }

 private:
  void Publish(const std::string& id, bool with_key) {
    summa_bus_message message{};
    message.stream = message.type = ToAbi(stream_);
    message.id = ToAbi(id);
    if (with_key) message.key = message.id;
    message.payload = ToAbi("{}");
    message.timestamp = ToAbi("2026-01-31T12:00:00.123456Z");
    message.position = SUMMA_BUS_NO_POSITION;
    summa_bus_receipt receipt{};
    bus_.Publish({&message, 1}, {&receipt, 1});
  }

  testkit::MemoryBus bus_{testkit::MemoryBus::kCore};
  BusReporter reporter_;
  std::string stream_;
};

}  // namespace
}  // namespace summa::bus_memory

SUMMA_PLUGIN(summa::bus_memory::BusMemoryPlugin)
