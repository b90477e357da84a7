// Dead letters on a bus that keeps none itself (no SUMMA_BUS_DEAD_LETTERS): the dead letters of
// TOPIC go to the stream TOPIC.dlq. Used through BusClient and summa::Consumer.
//
// The stream is a log, because a bus may not be able to delete a single message: a dead letter is
// the original message, with the failure in its note. Redriving or discarding it writes a mark
// behind it; a dead letter without a mark is open. A dead letter is written twice when its consumer
// ended between this stream and settling, and is redriven twice when two people do so at the same
// time: both with the same id, because everything on a bus may be delivered twice.
#pragma once

#include <summa/abi/bus.h>
#include <summa/bus_types.hpp>
#include <summa/error.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa {

class DeadLetterStream {
 public:
  static constexpr std::string_view kSuffix = ".dlq";

  explicit DeadLetterStream(const summa_bus_v1* bus) : bus_(bus) {}

  // Writes the dead letter. Throws when the bus did not accept it.
  void Add(summa_bus_message message, std::string_view delivery_id, std::string_view group,
           std::string_view error, std::int64_t deliveries) const {
    const std::string stream = NameOf(FromAbi(message.stream));
    const std::string note =
        Note({std::string(delivery_id), std::string(group), std::string(error), deliveries});
    message.stream = ToAbi(stream);
    message.redriven = {};
    message.note = ToAbi(note);
    Publish(message);
  }

  // As described at BusClient.
  void List(std::string_view stream, std::string_view after, const OnDeadLetter& on_letter) const {
    if (!stream.empty()) {
      ListOne(std::string(stream), std::string(after), on_letter);
      return;
    }
    for (const std::string& each : Streams()) {
      if (!ListOne(each, "", on_letter)) return;
    }
  }
  std::uint64_t Redrive(std::string_view stream, std::span<const summa_str> ids,
                        std::uint64_t* done) const {
    return Close(stream, ids, done, [&](const summa_bus_dead_letter& letter) {
      summa_bus_message message = letter.message;
      message.redriven = letter.group.size > 0 ? letter.group : ToAbi(SUMMA_BUS_EVERYBODY);
      Publish(message);
    });
  }
  std::uint64_t Discard(std::string_view stream, std::span<const summa_str> ids,
                        std::uint64_t* done) const {
    return Close(stream, ids, done, [](const summa_bus_dead_letter&) {});
  }

 private:
  static constexpr std::string_view kMark = "closed ";  // and the id of the letter

  struct NoteFields {
    std::string source_id, group, error;
    std::int64_t deliveries = 0;
  };

  static std::string NameOf(std::string_view stream) { return std::string(stream).append(kSuffix); }

  // "letter DELIVERIES SOURCE_ID LENGTH_OF_GROUP GROUP ERROR"
  static std::string Note(const NoteFields& fields) {
    return "letter " + std::to_string(fields.deliveries) + " " + fields.source_id + " " +
           std::to_string(fields.group.size()) + " " + fields.group + " " + fields.error;
  }
  static std::optional<NoteFields> ReadNote(std::string_view note) {
    if (!note.starts_with("letter ")) return std::nullopt;
    note.remove_prefix(7);
    NoteFields fields;
    std::size_t length = 0;
    const auto word = [&note] {
      const std::size_t end = std::min(note.find(' '), note.size());
      const std::string_view text = note.substr(0, end);
      note.remove_prefix(std::min(end + 1, note.size()));
      return text;
    };
    const std::string_view deliveries = word();
    std::from_chars(deliveries.data(), deliveries.data() + deliveries.size(), fields.deliveries);
    fields.source_id = word();
    const std::string_view size = word();
    std::from_chars(size.data(), size.data() + size.size(), length);
    fields.group = note.substr(0, std::min(length, note.size()));
    note.remove_prefix(std::min(length + 1, note.size()));
    fields.error = note;
    return fields;
  }

  void Publish(const summa_bus_message& message) const {
    summa_bus_receipt receipt{};
    summa_error error = detail::EmptyError();
    detail::Check(bus_->publish(bus_->self, &message, 1, &receipt, &error), error);
    if (receipt.outcome == SUMMA_BUS_CONFIRMED) return;
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0631",
                "stream " + std::string(FromAbi(message.stream)) +
                    " did not accept a message: " + receipt.error,
                "it is tried again; check the bus");
  }

  void Scan(const std::string& stream, const OnDelivery& on_message) const {
    const summa_bus_scan_options all = {sizeof all, 0, ToAbi(stream), {}, SUMMA_BUS_NO_TIME, 0};
    detail::Callback<OnDelivery, summa_bus_delivery> callback{on_message};
    summa_error error = detail::EmptyError();
    callback.Check(bus_->scan(bus_->self, &all, &callback.Call, &callback, &error), error);
  }

  // The topics that have such a stream.
  std::vector<std::string> Streams() const {
    struct Names final : BusVisitor {
      bool Stream(const summa_bus_stream& stream) override {
        std::string_view name = FromAbi(stream.name);
        if (!name.ends_with(kSuffix)) return true;
        name.remove_suffix(kSuffix.size());
        names.emplace_back(name);
        return true;
      }
      std::vector<std::string> names;
    } names;
    detail::VisitorTable table(names);
    summa_error error = detail::EmptyError();
    table.Check(bus_->streams(bus_->self, {}, table.table(), &error), error);
    return names.names;
  }

  std::set<std::string, std::less<>> Closed(const std::string& log) const {
    std::set<std::string, std::less<>> closed;
    Scan(log, [&](const summa_bus_delivery& delivery) {
      const std::string_view note = FromAbi(delivery.message.note);
      if (note.starts_with(kMark)) closed.emplace(note.substr(kMark.size()));
      return true;
    });
    return closed;
  }

  bool ListOne(const std::string& stream, const std::string& after,
               const OnDeadLetter& on_letter) const {
    const std::string log = NameOf(stream);
    const auto closed = Closed(log);
    bool behind = after.empty();
    bool more = true;
    Scan(log, [&](const summa_bus_delivery& delivery) {
      const std::string_view id = FromAbi(delivery.delivery_id);
      if (!std::exchange(behind, behind || id == after) || closed.contains(id)) return true;
      const std::optional<NoteFields> fields = ReadNote(FromAbi(delivery.message.note));
      if (!fields) return true;
      summa_bus_message message = delivery.message;
      message.stream = ToAbi(stream);
      message.note = {};
      more =
          on_letter({message, delivery.delivery_id, ToAbi(fields->source_id), ToAbi(fields->group),
                     ToAbi(fields->error), fields->deliveries, delivery.entered_at_microseconds});
      return more;
    });
    return more;
  }

  // Calls the function for each open dead letter, and closes it. When the bus became unreachable
  // before one was closed, the next call repeats it.
  template <typename Use>
  std::uint64_t Close(std::string_view stream, std::span<const summa_str> ids, std::uint64_t* done,
                      Use&& use) const {
    std::uint64_t count = 0;
    if (done != nullptr) *done = 0;
    std::set<std::string, std::less<>> wanted;
    for (const summa_str id : ids) wanted.emplace(FromAbi(id));
    const std::string log = NameOf(stream);
    ListOne(std::string(stream), "", [&](const summa_bus_dead_letter& letter) {
      const std::string_view id = FromAbi(letter.dead_letter_id);
      if (wanted.erase(std::string(id)) == 0) return true;
      use(letter);
      const std::string note = std::string(kMark).append(id);
      summa_bus_message mark{};
      mark.stream = ToAbi(log);
      mark.id = letter.message.id;
      mark.type = letter.message.type;
      mark.key = letter.message.key;
      mark.timestamp = letter.message.timestamp;
      mark.payload = ToAbi("{}");
      mark.position = SUMMA_BUS_NO_POSITION;
      mark.note = ToAbi(note);
      Publish(mark);
      ++count;
      if (done != nullptr) *done = count;
      return !wanted.empty();
    });
    return count;
  }

  const summa_bus_v1* bus_;
};

}  // namespace summa
