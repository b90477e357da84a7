#include "host/abi/bus_gate.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#include "host/abi/foreign_text.hpp"
#include "host/abi/plugin_call.hpp"
#include "summa/error.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxThrownText = 256;

bool InCallOfWorker() {
  const CallPlace* place = PluginCall::OfThisThread();
  return place != nullptr && place->worker[0] != '\0';
}

// As they appear in logs and crash reports.
constexpr char kPublish[] = "publish()";
constexpr char kPing[] = "ping()";
constexpr char kRead[] = "read()";
constexpr char kScan[] = "scan()";
constexpr char kHorizon[] = "horizon()";
constexpr char kDeadLetters[] = "dead_letters()";
constexpr char kRedrive[] = "redrive()";
constexpr char kDiscard[] = "discard()";
constexpr char kStreams[] = "streams()";
constexpr char kGroups[] = "groups()";
constexpr char kTrim[] = "trim()";
constexpr char kSeek[] = "seek()";
constexpr char kCreateGroup[] = "create_group()";
constexpr char kDeleteGroup[] = "delete_group()";
constexpr char kSubscribe[] = "subscribe()";

}  // namespace

// Inside the call of a worker it stays a call for that worker. On a thread that a plugin created,
// nothing is announced: the crash report there is based on the code that crashes.
template <typename Function>
std::int32_t BusGate::Call(const char* name, summa_error* error,
                           Function&& function) const noexcept {
  const CallPlace* caller = PluginCall::OfThisThread();
  const auto call = [&](summa_error*) { return function(); };
  const CallAnswer answer =
      caller == nullptr ? GuardedCall(call) : CallPlugin(provider_id_, name, caller->worker, call);
  if (!answer.thrown) return answer.status;
  return summa::detail::Guard(error, [&] {
    return summa::detail::Fill(error, SUMMA_E_INTERNAL, "SH-0124",
                               "plugin \"" + provider_id_ + "\": " + name +
                                   " of its bus threw an exception across the C boundary" +
                                   CleanText(*answer.thrown, kMaxThrownText),
                               "This is a defect of that plugin; report it to its author.");
  });
}

// A function of the bus whose first argument is its self, and whose last one the error.
template <typename... Arguments, std::int32_t (*summa_bus_v1::*kFunction)(void*, Arguments...),
          const char* kName>
struct BusGate::Forward<kFunction, kName> {
  static std::int32_t Call(void* self, Arguments... arguments) noexcept {
    const auto& gate = *static_cast<const BusGate*>(self);
    summa_error* error = std::get<sizeof...(Arguments) - 1>(std::tie(arguments...));
    return gate.Call(kName, error,
                     [&] { return (gate.bus_->*kFunction)(gate.bus_->self, arguments...); });
  }
};

// Fields that the bus is too old for stay absent: struct_size says so.
template <auto kFunction, const char* kName>
void BusGate::SetForward() {
  table_.*kFunction = &Forward<kFunction, kName>::Call;
}

BusGate::BusGate(const summa_bus_v1* bus, std::string provider_id, std::string plugin_id,
                 Consuming consuming)
    : bus_(bus),
      provider_id_(std::move(provider_id)),
      plugin_id_(std::move(plugin_id)),
      consuming_(consuming) {
  const std::size_t size = std::min<std::size_t>(bus->struct_size, sizeof table_);
  std::memcpy(&table_, bus, size);
  table_.struct_size = static_cast<std::uint32_t>(size);
  table_.self = this;
  table_.subscribe = &BusGate::Subscribe;
  SetForward<&summa_bus_v1::publish, kPublish>();
  SetForward<&summa_bus_v1::ping, kPing>();
  SetForward<&summa_bus_v1::read, kRead>();
  SetForward<&summa_bus_v1::scan, kScan>();
  SetForward<&summa_bus_v1::horizon, kHorizon>();
  SetForward<&summa_bus_v1::dead_letters, kDeadLetters>();
  SetForward<&summa_bus_v1::redrive, kRedrive>();
  SetForward<&summa_bus_v1::discard, kDiscard>();
  SetForward<&summa_bus_v1::streams, kStreams>();
  SetForward<&summa_bus_v1::groups, kGroups>();
  SetForward<&summa_bus_v1::trim, kTrim>();
  SetForward<&summa_bus_v1::seek, kSeek>();
  SetForward<&summa_bus_v1::create_group, kCreateGroup>();
  SetForward<&summa_bus_v1::delete_group, kDeleteGroup>();
}

std::int32_t BusGate::Subscribe(void* self, const summa_bus_subscription_options* options,
                                summa_bus_subscription** out, summa_error* error) noexcept {
  const auto& gate = *static_cast<BusGate*>(self);
  if (gate.consuming_ == Consuming::kWorkers && InCallOfWorker()) {
    return gate.Call(kSubscribe, error,
                     [&] { return gate.bus_->subscribe(gate.bus_->self, options, out, error); });
  }
  return summa::detail::Guard(error, [&] {
    const std::string here = gate.consuming_ == Consuming::kWorkers
                                 ? "`run --once`, in which only workers consume"
                                 : "a command, not a running host";
    return summa::detail::Fill(
        error, SUMMA_E_CONFIG, "SH-0140",
        "plugin \"" + gate.plugin_id_ + "\" may not subscribe to stream \"" +
            std::string(summa::FromAbi(options->stream)) + "\" here: this is " + here,
        "Consume in a worker (summa::LeasedConsumer), or in Plugin::Activate() instead of Start()");
  });
}

}  // namespace summa::host
