#include "canary.hpp"

namespace summa::outbox {
namespace {

// Other hosts may have sent theirs in between; more hosts than this do not take turns.
constexpr std::size_t kReadBack = 10;

}  // namespace

Canary::Canary(Host host, BusClient bus, std::string sink, std::chrono::microseconds interval)
    : host_(host), bus_(bus), sink_(std::move(sink)), interval_(interval) {
  seconds_ = host_.Histogram("summa_canary_end_to_end_seconds",
                             "Time from sending the canary message to reading it back.",
                             {{"sink", sink_}});
  lost_ =
      host_.Counter("summa_canary_lost_total",
                    "Canary messages that the bus confirmed but did not have.", {{"sink", sink_}});
}

std::chrono::microseconds Canary::RunIfDue() {
  const BootTime now = host_.BootNow();
  if (now >= next_) {
    next_ = now + interval_;
    Send();
  }
  return next_ - now;
}

void Canary::Send() {
  const BootTime started = host_.BootNow();
  const std::string id = std::string(host_.instance()) + "/" + std::to_string(++number_);
  const std::string timestamp = IsoText(host_.UnixNow());
  summa_bus_message message{};
  message.stream = message.type = ToAbi(kStream);
  message.id = ToAbi(id);
  message.key = ToAbi(sink_);
  message.payload = ToAbi("{}");
  message.timestamp = ToAbi(timestamp);
  message.position = SUMMA_BUS_NO_POSITION;
  summa_bus_receipt receipt{SUMMA_BUS_UNSENT, ""};
  summa_error error = detail::EmptyError();
  if (!bus_.Publish(std::span(&message, 1), std::span(&receipt, 1), &error)) return;
  if (receipt.outcome != SUMMA_BUS_CONFIRMED) return;
  try {
    if (ReadBack(id)) {
      seconds_.Observe(static_cast<double>((host_.BootNow() - started).count()) / 1e6);
      return;
    }
  } catch (const Error& failure) {
    if (failure.status() != SUMMA_E_NOT_FOUND) return;  // the bus became unreachable in between
  }
  lost_.Add();
  host_.Warn("SH-0508", "the bus confirmed a message but does not have it",
             {{"sink", sink_}, {"stream", kStream}, {"id", id}});
}

bool Canary::ReadBack(const std::string& id) const {
  struct Context {
    const std::string& id;
    bool found = false;
  } context{id};
  const auto on_message = [](void* user, const summa_bus_delivery* delivery) -> std::int32_t {
    auto* wanted = static_cast<Context*>(user);
    wanted->found |= FromAbi(delivery->message.id) == wanted->id;
    return wanted->found ? 1 : 0;
  };
  summa_error error = detail::EmptyError();
  const std::int32_t status = bus_.abi()->read(bus_.abi()->self, ToAbi(kStream), summa_str{},
                                               kReadBack, on_message, &context, &error);
  if (!context.found) detail::Check(status, error);
  return context.found;
}

}  // namespace summa::outbox
