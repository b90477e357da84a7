#include "host/abi/bus_gate.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "host/plugin/plugin_call.hpp"
#include "summa/error.hpp"

namespace summa::host {
namespace {

bool InCallOfWorker() {
  const CallPlace* place = PluginCall::OfThisThread();
  return place != nullptr && place->worker[0] != '\0';
}

}  // namespace

// A function of the bus whose first argument is its self.
template <typename... Arguments, std::int32_t (*summa_bus_v1::*kFunction)(void*, Arguments...)>
struct BusGate::Forward<kFunction> {
  static std::int32_t Call(void* self, Arguments... arguments) {
    const summa_bus_v1* bus = static_cast<BusGate*>(self)->bus_;
    return (bus->*kFunction)(bus->self, arguments...);
  }
};

// Fields that the bus is too old for stay absent: struct_size says so.
template <auto kFunction>
void BusGate::Let() {
  table_.*kFunction = &Forward<kFunction>::Call;
}

BusGate::BusGate(const summa_bus_v1* bus, std::string plugin_id, Consuming consuming)
    : bus_(bus), plugin_id_(std::move(plugin_id)), consuming_(consuming) {
  const std::size_t size = std::min<std::size_t>(bus->struct_size, sizeof table_);
  std::memcpy(&table_, bus, size);
  table_.struct_size = static_cast<std::uint32_t>(size);
  table_.self = this;
  table_.subscribe = &BusGate::Subscribe;
  Let<&summa_bus_v1::publish>();
  Let<&summa_bus_v1::ping>();
  Let<&summa_bus_v1::read>();
  Let<&summa_bus_v1::scan>();
  Let<&summa_bus_v1::horizon>();
  Let<&summa_bus_v1::dead_letters>();
  Let<&summa_bus_v1::redrive>();
  Let<&summa_bus_v1::discard>();
}

std::int32_t BusGate::Subscribe(void* self, const summa_bus_subscription_options* options,
                                summa_bus_subscription** out, summa_error* error) noexcept {
  const auto& gate = *static_cast<BusGate*>(self);
  if (gate.consuming_ == Consuming::kWorkers && InCallOfWorker()) {
    return gate.bus_->subscribe(gate.bus_->self, options, out, error);
  }
  return summa::detail::Guard(error, [&] {
    const std::string here = gate.consuming_ == Consuming::kWorkers
                                 ? "`run --once`, which consumes in calls of workers only"
                                 : "a command, not a running host";
    return summa::detail::Fill(
        error, SUMMA_E_CONFIG, "SH-0140",
        "plugin \"" + gate.plugin_id_ + "\" may not subscribe to stream \"" +
            std::string(summa::FromAbi(options->stream)) + "\" here: this is " + here,
        "Consume in a worker (summa::LeasedConsumer), or in Plugin::Activate() instead of Start()");
  });
}

}  // namespace summa::host
