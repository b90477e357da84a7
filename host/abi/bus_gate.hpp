// The bus of another plugin, as it is given to a plugin of a process that is no running host: all
// but subscribe(). `doctor`, verbs and checks start plugins too, and must take no message from a
// consumer. Thread-safe; must outlive the plugin.
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
  BusGate(const summa_bus_v1* bus, std::string plugin_id, Consuming consuming);
  BusGate(const BusGate&) = delete;
  BusGate& operator=(const BusGate&) = delete;
  const summa_bus_v1* table() const { return &table_; }

 private:
  template <auto kFunction>
  struct Forward;
  template <auto kFunction>
  void Let();
  static std::int32_t Subscribe(void* self, const summa_bus_subscription_options* options,
                                summa_bus_subscription** out, summa_error* error) noexcept;

  const summa_bus_v1* const bus_;
  const std::string plugin_id_;
  const Consuming consuming_;
  summa_bus_v1 table_{};
};

}  // namespace summa::host
