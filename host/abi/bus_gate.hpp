// The bus of another plugin, as it is given to a plugin of a process that is no running host: all
// but subscribe(). `doctor`, verbs and checks start plugins too, and must take no message from a
// consumer. What the bus throws ends here, with the name of the plugin that it belongs to; the
// functions of a subscription, which knows no gate, are the bus's own. Thread-safe; must outlive
// the plugin.
#pragma once

#include <cstdint>
#include <string>

#include "summa/abi/bus.h"

namespace summa::host {

// Who may consume in this process.
enum class Consuming {
  kNobody,   // `doctor`, verbs
  kWorkers,  // `run --once`: from the thread of a call of a worker only
  kAll       // a running host
};

class BusGate {
 public:
  // provider_id: whose bus it is; plugin_id: who is given it.
  BusGate(const summa_bus_v1* bus, std::string provider_id, std::string plugin_id,
          Consuming consuming);
  BusGate(const BusGate&) = delete;
  BusGate& operator=(const BusGate&) = delete;
  const summa_bus_v1* table() const { return &table_; }

 private:
  template <auto kFunction, const char* kName>
  struct Forward;
  template <auto kFunction, const char* kName>
  void SetForward();
  template <typename Function>
  std::int32_t Call(const char* name, summa_error* error, Function&& function) const noexcept;
  static std::int32_t Subscribe(void* self, const summa_bus_subscription_options* options,
                                summa_bus_subscription** out, summa_error* error) noexcept;

  const summa_bus_v1* const bus_;
  const std::string provider_id_, plugin_id_;
  const Consuming consuming_;
  summa_bus_v1 table_{};
};

}  // namespace summa::host
