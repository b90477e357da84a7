#include "plugins/bus-redis/tail_command.hpp"

#include <chrono>
#include <limits>
#include <summa/json.hpp>

#include "plugins/bus-redis/json_text.hpp"

namespace summa::bus_redis {
namespace {

// How soon --follow shows a new message: soon enough for a person, idle enough for Redis.
constexpr std::chrono::microseconds kFollowPause{200'000};

std::string JoinNames(const std::vector<std::string>& names) {
  if (names.empty()) return "there is none yet";
  std::string text = "there are: ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + AsUtf8(names[i]);
  if (names.size() >= kMaximumNames) text += ", ...";
  return text;
}

class Tail {
 public:
  Tail(StreamReader& reader, const CommandCall& call)
      : reader_(reader), call_(call), stream_(call.Option("stream").value_or("")) {}

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
        reader_.ReadFrom(stream_, *from, count, show);
      } else {
        reader_.Read(stream_, "", count, show);
      }
    } catch (const Error& error) {
      if (error.status() != SUMMA_E_NOT_FOUND) throw;
      throw Error(error.status(), error.code(), std::string(error.what()) + "; " + NamesForPeople(),
                  error.hint());
    }
  }

  std::string NamesForPeople() {
    try {
      return JoinNames(reader_.SomeNames());
    } catch (const Error& error) {
      return "those that are there cannot be listed: " + std::string(error.what());
    }
  }

  // A stream that was deleted, or a Redis that restarts, is waited for: its messages come later.
  void ShowNew() {
    const auto show = [this](const summa_bus_delivery& delivery) { return Show(delivery); };
    const std::string from = last_.empty() ? "-" : NextEntryId(last_);
    try {
      reader_.ReadFrom(stream_, from, std::numeric_limits<std::size_t>::max(), show);
    } catch (const Error& error) {
      if (error.status() != SUMMA_E_NOT_FOUND && error.status() != SUMMA_E_UNAVAILABLE) throw;
      call_.Progress(error.what(), static_cast<std::int64_t>(messages_));
    }
  }

  StreamReader& reader_;
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
  return json.EndObject().Take();
}

CommandResult TailStream(StreamReader& reader, const CommandCall& call) {
  return Tail(reader, call).Run();
}

}  // namespace summa::bus_redis
