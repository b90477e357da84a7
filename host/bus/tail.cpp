#include "host/bus/tail.hpp"

#include <chrono>
#include <summa/error.hpp>
#include <summa/json.hpp>
#include <vector>

#include "host/abi/foreign_text.hpp"
#include "host/config/text.hpp"

namespace summa::host {
namespace {

// How soon --follow shows a new message: soon enough for a person, idle enough for the bus.
constexpr std::chrono::microseconds kFollowPause{200'000};

// How many names of streams a message lists.
constexpr std::size_t kMaxNames = 100;

class Names final : public BusVisitor {
 public:
  bool Stream(const summa_bus_stream& stream) override {
    names_.push_back(AsUtf8(FromAbi(stream.name)));
    return names_.size() < kMaxNames;
  }
  std::string ForPeople() const {
    if (names_.empty()) return "no stream exists yet";
    return "existing streams: " + Join(names_) + (names_.size() >= kMaxNames ? ", ..." : "");
  }

 private:
  std::vector<std::string> names_;
};

class Tail {
 public:
  Tail(const BusClient& bus, const CommandCall& call)
      : bus_(bus), call_(call), stream_(call.Option("stream").value_or("")) {}

  CommandResult Run() {
    ShowFirst();
    while (call_.Flag("follow") && !call_.Wait(kFollowPause)) ShowNew();
    JsonWriter json;
    json.BeginObject().Member("stream", stream_).Member("messages", messages_);
    json.TextOrNull("lastDeliveryId", last_).EndObject();
    return {json.Take(), false};
  }

 private:
  bool Show(const summa_bus_delivery& delivery) {
    last_ = FromAbi(delivery.delivery_id);
    ++messages_;
    call_.Emit(DescribeDelivery(delivery));
    return !call_.ShouldStop();
  }

  void ShowFirst() {
    const auto show = [this](const summa_bus_delivery& delivery) { return Show(delivery); };
    const auto count = static_cast<std::size_t>(call_.IntegerOption("count").value_or(10));
    try {
      if (const auto from = call_.Option("from")) {
        RequireStream();
        bus_.Scan({stream_, *from, std::nullopt, count, true}, show);
      } else {
        bus_.Read(stream_, "", count, show);
      }
    } catch (const summa::Error& error) {
      if (error.status() != SUMMA_E_NOT_FOUND) throw;
      throw summa::Error(error.status(), error.code(),
                         std::string(error.what()) + "; " + NamesForPeople(), error.hint());
    }
  }

  // A scan treats a stream that does not exist as empty.
  void RequireStream() const {
    if (bus_.Horizon(stream_).exists != 0) return;
    throw summa::Error(SUMMA_E_NOT_FOUND, "SH-0607", "there is no stream " + stream_,
                       "a stream exists as soon as a message has been published to it");
  }

  std::string NamesForPeople() {
    try {
      Names names;
      bus_.Streams("", names);
      return names.ForPeople();
    } catch (const summa::Error& error) {
      return "the existing streams cannot be listed: " + std::string(error.what());
    }
  }

  // A stream that was deleted, or a bus that restarts, is waited for: its messages come later.
  void ShowNew() {
    const auto show = [this](const summa_bus_delivery& delivery) { return Show(delivery); };
    try {
      bus_.Scan({stream_, last_, std::nullopt, 0}, show);
    } catch (const summa::Error& error) {
      if (error.status() != SUMMA_E_NOT_FOUND && error.status() != SUMMA_E_UNAVAILABLE) throw;
      call_.Progress(error.what(), static_cast<std::int64_t>(messages_));
    }
  }

  const BusClient& bus_;
  const CommandCall& call_;
  const std::string stream_;
  std::string last_;
  std::size_t messages_ = 0;
};

}  // namespace

std::string DescribeDelivery(const summa_bus_delivery& delivery) {
  const summa_bus_message& message = delivery.message;
  const auto text = [](summa_str value) { return AsUtf8(FromAbi(value)); };
  JsonWriter json;
  json.BeginObject().Member("deliveryId", text(delivery.delivery_id));
  json.Member("id", text(message.id)).Member("type", text(message.type));
  json.Member("key", text(message.key)).Key("position");
  if (message.position == SUMMA_BUS_NO_POSITION) {
    json.Null();
  } else {
    json.Value(message.position);
  }
  json.TextOrNull("timestamp", text(message.timestamp));
  json.TextOrNull("correlationId", text(message.correlation_id)).Key("payload");
  const std::string_view payload = FromAbi(message.payload);
  if (IsJsonLine(payload)) {
    json.Raw(payload);
  } else {
    json.Value(AsUtf8(payload));
  }
  if (message.note.size > 0) json.Member("note", text(message.note));
  return json.EndObject().Take();
}

CommandResult TailStream(const BusClient& bus, const CommandCall& call) {
  return Tail(bus, call).Run();
}

}  // namespace summa::host
