// Dead letters on a bus that keeps none itself (no SUMMA_BUS_DEAD_LETTERS): the dead letters of
// TOPIC go to the stream TOPIC.dlq. Used through BusClient and summa::Consumer.
//
// The stream is a log, because a bus may not be able to delete a single message: a dead letter is
// the original message, with the failure in its note. Redriving or discarding it writes a mark
// behind it; a dead letter without a mark is open. One that the bus refuses with its payload is
// written without: its note names the place of the message in TOPIC, from where it is read as long
// as the message is there. A dead letter is written twice when its consumer ended between this
// stream and settling, and is redriven twice when two people do so at the same time: both with the
// same id, because everything on a bus may be delivered twice.
#pragma once

#include <summa/abi/bus.h>
#include <summa/bus_types.hpp>
#include <summa/error.hpp>
#include <summa/text.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
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
  static constexpr std::size_t kMaximumError = 1000;      // bytes: what is longer is cut
  static constexpr std::size_t kMaximumStreamName = 200;  // bytes, see summa/abi/bus.h

  // Whether the dead letters of a topic of this name can have a stream.
  static bool HasNameFor(std::string_view topic) {
    return topic.size() + kSuffix.size() <= kMaximumStreamName;
  }

  explicit DeadLetterStream(const summa_bus_v1* bus) : bus_(bus) {}

  // Writes the dead letter. Throws when the bus did not accept it: SUMMA_E_UNAVAILABLE when it may
  // do so later, SUMMA_E_USAGE when it refuses it, even without its payload.
  void Add(summa_bus_message message, std::string_view delivery_id, std::string_view group,
           std::string_view error, std::int64_t deliveries) const {
    const std::string stream = NameOf(FromAbi(message.stream));
    const NoteFields fields = {true,
                               std::string(delivery_id),
                               std::string(group),
                               std::string(FromAbi(message.note)),
                               std::string(Beginning(error, kMaximumError)),
                               deliveries};
    const std::string note = Note(fields);
    message.stream = ToAbi(stream);
    message.redriven = {};
    message.note = ToAbi(note);
    if (const auto refusal = TryPublish(message)) AddWithoutPayload(message, fields, *refusal);
  }

  // When the message is such a dead letter: the group that gave it up.
  static std::optional<std::string> GroupOfLetter(const summa_bus_message& message) {
    if (!FromAbi(message.stream).ends_with(kSuffix)) return std::nullopt;
    std::optional<NoteFields> fields = ReadNote(FromAbi(message.note));
    if (!fields) return std::nullopt;
    return std::move(fields->group);
  }

  // As described at BusClient.
  void List(std::string_view stream, std::string_view after, const OnDeadLetter& on_letter) const {
    const OnLetter listed = [&](const summa_bus_dead_letter& letter, bool) {
      return on_letter(letter);
    };
    if (!stream.empty()) {
      ListOne(std::string(stream), std::string(after), listed);
      return;
    }
    for (const std::string& each : Streams()) {
      if (!ListOne(each, "", listed)) return;
    }
  }
  std::uint64_t Redrive(std::string_view stream, std::span<const summa_str> ids,
                        std::uint64_t* done) const {
    return Close(stream, ids, done, [&](const summa_bus_dead_letter& letter, bool whole) {
      if (!whole) ThrowGone(letter);
      summa_bus_message message = letter.message;
      message.redriven = letter.group.size > 0 ? letter.group : ToAbi(SUMMA_BUS_EVERYBODY);
      Publish(message);
    });
  }
  std::uint64_t Discard(std::string_view stream, std::span<const summa_str> ids,
                        std::uint64_t* done) const {
    return Close(stream, ids, done, [](const summa_bus_dead_letter&, bool) {});
  }

 private:
  // How notes begin.
  static constexpr std::string_view kMark = "closed ";  // and the id of the letter
  static constexpr std::string_view kLetter = "letter ", kPlace = "place ";

  struct NoteFields {
    bool whole = true;  // the payload is in the letter
    std::string source_id, group, note, error;
    std::int64_t deliveries = 0;
  };

  static std::string NameOf(std::string_view stream) { return std::string(stream).append(kSuffix); }

  // A letter as it is listed; whole: with the payload of its message.
  using OnLetter = std::function<bool(const summa_bus_dead_letter&, bool whole)>;

  // "letter DELIVERIES SOURCE_ID LENGTH_OF_GROUP GROUP LENGTH_OF_NOTE NOTE ERROR", where NOTE is
  // that of the message. "place ...": without the payload.
  static std::string Note(const NoteFields& fields) {
    return std::string(fields.whole ? kLetter : kPlace) + std::to_string(fields.deliveries) + " " +
           fields.source_id + " " + std::to_string(fields.group.size()) + " " + fields.group + " " +
           std::to_string(fields.note.size()) + " " + fields.note + " " + fields.error;
  }
  static std::optional<NoteFields> ReadNote(std::string_view note) {
    NoteFields fields;
    fields.whole = note.starts_with(kLetter);
    if (!fields.whole && !note.starts_with(kPlace)) return std::nullopt;
    note.remove_prefix(fields.whole ? kLetter.size() : kPlace.size());
    const auto word = [&note] {
      const std::size_t end = std::min(note.find(' '), note.size());
      const std::string_view text = note.substr(0, end);
      note.remove_prefix(std::min(end + 1, note.size()));
      return text;
    };
    // Its length and the text, which may have spaces.
    const auto text = [&note, &word] {
      std::size_t length = 0;
      const std::string_view size = word();
      std::from_chars(size.data(), size.data() + size.size(), length);
      const std::string_view found = note.substr(0, std::min(length, note.size()));
      note.remove_prefix(std::min(found.size() + 1, note.size()));
      return found;
    };
    const std::string_view deliveries = word();
    std::from_chars(deliveries.data(), deliveries.data() + deliveries.size(), fields.deliveries);
    fields.source_id = word();
    fields.group = text();
    fields.note = text();
    fields.error = note;
    return fields;
  }

  [[noreturn]] static void ThrowNotAccepted(int status, const summa_bus_message& message,
                                            const std::string& error, const std::string& fix) {
    throw Error(
        status, "SH-0631",
        "stream " + std::string(FromAbi(message.stream)) + " did not accept a message: " + error,
        fix);
  }
  [[noreturn]] static void ThrowGone(const summa_bus_dead_letter& letter) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0631",
                "dead letter " + std::string(FromAbi(letter.dead_letter_id)) + " of stream " +
                    std::string(FromAbi(letter.message.stream)) +
                    " has no payload, and its message " + std::string(FromAbi(letter.source_id)) +
                    " is no longer in the stream",
                "send the message again from the ledger, and discard the dead letter");
  }

  // Returns why the bus will never accept it; nothing: it is there.
  std::optional<std::string> TryPublish(const summa_bus_message& message) const {
    summa_bus_receipt receipt{};
    summa_error error = detail::EmptyError();
    detail::Check(bus_->publish(bus_->self, &message, 1, &receipt, &error), error);
    if (receipt.outcome == SUMMA_BUS_CONFIRMED) return std::nullopt;
    if (receipt.outcome == SUMMA_BUS_REFUSED) return receipt.error;
    ThrowNotAccepted(SUMMA_E_UNAVAILABLE, message, receipt.error,
                     "it is tried again; check the bus");
  }
  void Publish(const summa_bus_message& message) const {
    const auto refusal = TryPublish(message);
    if (!refusal) return;
    ThrowNotAccepted(SUMMA_E_USAGE, message, *refusal, "correct what the message names");
  }
  void AddWithoutPayload(summa_bus_message message, NoteFields fields,
                         const std::string& refusal) const {
    fields.whole = false;
    fields.note.clear();
    const std::string note = Note(fields);
    message.payload = ToAbi("{}");
    message.note = ToAbi(note);
    const auto again = TryPublish(message);
    if (!again) return;
    ThrowNotAccepted(SUMMA_E_USAGE, message, refusal + "; without its payload: " + *again,
                     "it is tried again; let the bus accept larger messages, or correct what the "
                     "message names");
  }

  // Calls the function with the message at this place of the stream, if it is still there.
  bool ReadSource(const std::string& stream, std::string_view source_id,
                  const OnDelivery& on_message) const {
    const summa_bus_scan_options one = {sizeof one,       SUMMA_BUS_SCAN_INCLUSIVE, ToAbi(stream),
                                        ToAbi(source_id), SUMMA_BUS_NO_TIME,        1};
    bool found = false;
    const OnDelivery check = [&](const summa_bus_delivery& delivery) {
      found = FromAbi(delivery.delivery_id) == source_id;
      return !found || on_message(delivery);
    };
    detail::Callback<OnDelivery, summa_bus_delivery> callback{check};
    summa_error error = detail::EmptyError();
    callback.Check(bus_->scan(bus_->self, &one, &callback.Call, &callback, &error), error);
    return found;
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
               const OnLetter& on_letter) const {
    const std::string log = NameOf(stream);
    const auto closed = Closed(log);
    bool behind = after.empty();
    bool more = true;
    Scan(log, [&](const summa_bus_delivery& delivery) {
      const std::string_view id = FromAbi(delivery.delivery_id);
      if (!std::exchange(behind, behind || id == after) || closed.contains(id)) return true;
      const std::optional<NoteFields> fields = ReadNote(FromAbi(delivery.message.note));
      if (!fields) return true;
      const auto tell = [&](summa_bus_message message, summa_str note, bool whole) {
        message.stream = ToAbi(stream);
        message.redriven = {};
        message.note = note;
        more = on_letter(
            {message, delivery.delivery_id, ToAbi(fields->source_id), ToAbi(fields->group),
             ToAbi(fields->error), fields->deliveries, delivery.entered_at_microseconds},
            whole);
        return more;
      };
      if (fields->whole) return tell(delivery.message, ToAbi(fields->note), true);
      const bool found =
          ReadSource(stream, fields->source_id, [&](const summa_bus_delivery& source) {
            return tell(source.message, source.message.note, true);
          });
      return found ? more : tell(delivery.message, {}, false);
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
    ListOne(std::string(stream), "", [&](const summa_bus_dead_letter& letter, bool whole) {
      const std::string_view id = FromAbi(letter.dead_letter_id);
      if (wanted.erase(std::string(id)) == 0) return true;
      use(letter, whole);
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
