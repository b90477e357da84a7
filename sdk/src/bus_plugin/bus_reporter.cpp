#include <summa/bus_plugin.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace summa {

BusReporter::BusReporter(Host host, BusServer server)
    : host_(host), server_(server), reachability_(std::move(server)) {}

void BusReporter::Begin() {
  const auto outcome = [&](std::string_view name) {
    return host_.Counter(
        "summa_bus_messages_total",
        "Messages given to publish, by outcome: confirmed, refused, stream_fault, unsent.",
        {BusLabel(), {"outcome", name}});
  };
  confirmed_ = outcome("confirmed");
  refused_ = outcome("refused");
  stream_fault_ = outcome("stream_fault");
  unsent_ = outcome("unsent");
  bytes_ = host_.Counter("summa_bus_published_bytes_total",
                         "Bytes of the payloads that the bus confirmed.", {BusLabel()});
  duration_ = host_.Histogram("summa_bus_publish_duration_seconds", "Time to publish one batch.",
                              {BusLabel()});
  connected_ =
      host_.Gauge("summa_bus_connected",
                  "1 while the connection for publishing is up, otherwise 0.", {BusLabel()});
}

void BusReporter::CountConnection(bool up, std::string_view purpose) {
  host_
      .Counter(up ? "summa_bus_connections_total" : "summa_bus_connection_failures_total",
               up ? "Connections opened, by purpose, such as publish or subscribe."
                  : "Connections that were lost or could not be opened, by purpose.",
               {BusLabel(), {"purpose", purpose}})
      .Add();
}

void BusReporter::ShowConnected(bool up, std::string_view purpose) {
  if (purpose == "publish") connected_.Set(up && reachability_.AllUp(purpose) ? 1 : 0);
}

// One line when it goes down and one when it is up again, not one per attempt.
void BusReporter::Up(std::string_view purpose, const std::string& address) {
  CountConnection(true, purpose);
  const bool changed = reachability_.Up(purpose, address);
  ShowConnected(true, purpose);
  if (!changed) return;
  host_.Info(server_.name + " is reachable again", {{"purpose", std::string(purpose)}});
}

void BusReporter::Down(std::string_view purpose, const std::string& address,
                       const std::string& reason) {
  CountConnection(false, purpose);
  const bool changed = reachability_.Down(purpose, address, reason, host_.BootNow());
  ShowConnected(false, purpose);
  if (!changed) return;
  host_.Warn(server_.code, server_.name + " is not reachable",
             {{"purpose", std::string(purpose)}, {"error", reason}});
}

void BusReporter::Retired(std::string_view purpose, const std::string& address) {
  const bool changed = reachability_.Up(purpose, address);
  ShowConnected(true, purpose);
  if (!changed) return;
  host_.Info("this " + server_.name + " is no longer needed",
             {{"purpose", std::string(purpose)}, {"address", address}});
}

void BusReporter::Published(std::span<const summa_bus_message> messages,
                            std::span<const summa_bus_receipt> receipts,
                            std::chrono::duration<double> took) {
  std::array<std::size_t, 4> outcomes{};
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    ++outcomes.at(static_cast<std::size_t>(receipts[i].outcome));
    if (receipts[i].outcome != SUMMA_BUS_CONFIRMED) continue;
    bytes += messages[i].payload.size;
    CountLetter(messages[i]);
  }
  const auto add = [&](Metric& metric, summa_bus_outcome outcome) {
    metric.Add(static_cast<double>(outcomes[outcome]));
  };
  add(confirmed_, SUMMA_BUS_CONFIRMED);
  add(refused_, SUMMA_BUS_REFUSED);
  add(stream_fault_, SUMMA_BUS_STREAM_FAULT);
  add(unsent_, SUMMA_BUS_UNSENT);
  bytes_.Add(static_cast<double>(bytes));
  duration_.Observe(took.count());
}

void BusReporter::Polled(std::string_view stream, std::string_view group, const BusPoll& poll) {
  const auto count = [&](std::string_view name, std::string_view help, std::size_t messages) {
    if (messages == 0) return;
    host_.Counter(name, help, {BusLabel(), {"topic", stream}, {"group", group}})
        .Add(static_cast<double>(messages));
  };
  count("summa_bus_consumed_messages_total", "Messages delivered to consumers, by topic and group.",
        poll.delivered);
  count(
      "summa_bus_redeliveries_total",
      "Of these, messages that had been delivered to the same consumer before, by topic and group.",
      poll.redelivered);
  count("summa_bus_lost_messages_total",
        "Messages that were deleted from the stream while a consumer still had to handle them, by "
        "topic and group.",
        poll.lost);
  if (poll.lost == 0) return;
  host_.Log(SUMMA_LOG_ERROR, "SH-0608", "messages were deleted before they were handled",
            {{"stream", std::string(stream)},
             {"group", std::string(group)},
             {"messages", std::to_string(poll.lost)},
             {"first", std::string(poll.first_lost)},
             {"last", std::string(poll.last_lost)}});
}

// A bus without dead letters of its own does not know what a consumer publishes to TOPIC.dlq.
void BusReporter::CountLetter(const summa_bus_message& message) {
  const std::optional<std::string> group = DeadLetterStream::GroupOfLetter(message);
  if (!group) return;
  std::string_view topic = FromAbi(message.stream);
  topic.remove_suffix(DeadLetterStream::kSuffix.size());
  DeadLettered(topic, *group);
}

void BusReporter::DeadLettered(std::string_view stream, std::string_view group) {
  host_
      .Counter("summa_bus_dead_letters_total",
               "Messages that became dead letters of consumers, by topic and group.",
               {BusLabel(), {"topic", stream}, {"group", group}})
      .Add();
}

void BusReporter::Reader(std::string_view stream, std::string_view group, std::string_view what,
                         const std::string& error) {
  std::string reader = "group ";
  reader.append(group).append(" of stream ").append(stream);
  reader.append(" (").append(what).append(")");
  reachability_.Reader(reader, error, host_.BootNow());
}

void BusReporter::Lag(const summa_bus_group& group) {
  const auto gauge = [&](std::string_view name, std::string_view help, std::int64_t value) {
    if (value < 0) return;
    host_
        .Gauge(name, help,
               {BusLabel(), {"topic", FromAbi(group.stream)}, {"group", FromAbi(group.name)}})
        .Set(static_cast<double>(value));
  };
  gauge("summa_bus_consumer_lag_messages",
        "Messages that were not delivered to a group yet, by bus, topic and group; as last "
        "reported by the bus.",
        group.lag);
  gauge("summa_bus_in_flight_messages",
        "Messages that were delivered to a group but not acknowledged, by bus, topic and group; as "
        "last reported by the bus.",
        group.pending);
}

}  // namespace summa
