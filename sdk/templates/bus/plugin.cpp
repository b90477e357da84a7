// A bus as a plugin. The bus itself is the one in memory of the test kit, which has the core of
// summa.bus/1 and no capability: put a class of your own in its place, derived from summa::Bus.
#include <summa/bus_plugin.hpp>
#include <summa/plugin.hpp>
#include <summa/testkit/memory_bus.hpp>

namespace bus_memory {
namespace {

class BusMemory final : public summa::Plugin {
 public:
  explicit BusMemory(summa::Host host)
      : Plugin(host), reporter_(host, {"bus-memory", "the memory", "BM-0001", "there is no way"}) {}

  void Configure(const summa::Config& config) override {
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
  summa::Bus* ProvidedBus() override { return &bus_; }
  std::vector<summa::Finding> Failing() override { return reporter_.Failing(); }
  std::string StatusJson() override {
    std::int64_t letters = 0;
    for (const summa::testkit::StoredMessage& message : bus_.Stored()) {
      letters += message.stream == stream_ + ".dlq" ? 1 : 0;
    }
    return summa::JsonWriter().BeginObject().Member("deadLetters", letters).EndObject().Take();
  }

 private:
  void Publish(const std::string& id, bool with_key) {
    summa_bus_message message{};
    message.stream = message.type = summa::ToAbi(stream_);
    message.id = summa::ToAbi(id);
    if (with_key) message.key = message.id;
    message.payload = summa::ToAbi("{}");
    message.timestamp = summa::ToAbi("2026-01-31T12:00:00.123456Z");
    message.position = SUMMA_BUS_NO_POSITION;
    summa_bus_receipt receipt{};
    bus_.Publish({&message, 1}, {&receipt, 1});
  }

  summa::testkit::MemoryBus bus_{summa::testkit::MemoryBus::kCore};
  summa::BusReporter reporter_;
  std::string stream_;
};

}  // namespace
}  // namespace bus_memory

SUMMA_PLUGIN(bus_memory::BusMemory)
