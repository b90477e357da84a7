#include <algorithm>
#include <map>
#include <summa/json.hpp>

#include "commands.hpp"

namespace summa::outbox {
namespace {

constexpr std::string_view kBusSource = "bus";

bool FromBus(const CommandCall& call) { return call.Option("source").value_or("") == kBusSource; }

DeadLetterFilter FilterOf(const CommandCall& call) {
  DeadLetterFilter filter;
  filter.topic = call.Option("topic");
  filter.key = call.Option("key");
  filter.id = call.Option("id");
  filter.limit = call.IntegerOption("limit").value_or(0);
  if (const auto state = call.Option("state")) filter.state = *state;
  return filter;
}

std::string TextOf(std::optional<BusTime> time) {
  return time ? IsoText(*time, IsoDigits::kMilliseconds) : std::string();
}

// For the audit: what the person requested.
std::string FilterText(const CommandCall& call) {
  std::string text;
  for (const char* name : {"id", "topic", "key"}) {
    const auto value = call.Option(name);
    if (!value) continue;
    if (!text.empty()) text += ' ';
    text += "--";
    text += name;
    text += ' ';
    text += *value;
  }
  return text;
}

void WriteItem(JsonWriter& json, const DeadLetterItem& item, bool with_payload) {
  json.BeginObject()
      .Member("id", item.id)
      .TextOrNull("outboxId", item.outbox_id)
      .Member("topic", item.topic)
      .Member("key", item.key)
      .Member("error", item.error);
  json.Key("attempts");
  if (item.attempts) {
    json.Value(*item.attempts);
  } else {
    json.Null();
  }
  json.Member("createdAt", item.created_at).Member("state", item.state);
  if (with_payload) json.Member("payload", item.payload);
  json.EndObject();
}

DeadLetterItem ToItem(const summa_bus_dead_letter& letter) {
  const auto text = [](summa_str value) { return std::string(FromAbi(value)); };
  return {text(letter.dead_letter_id),
          text(letter.message.id),
          text(letter.message.stream),
          text(letter.message.key),
          text(letter.error),
          letter.deliveries,
          TextOf(ToBusTime(letter.died_at_microseconds)),
          "pending",
          text(letter.message.payload)};
}

struct BusLetters {
  std::vector<std::pair<const Sink*, DeadLetterItem>> items;
  std::vector<std::string> unread;  // why there may be others
};

// Dead letters of the bus, of every sink. The fate of one that was sent again is not kept there. A
// key that cannot be read does not hide the letters of the others.
BusLetters ReadBus(const CommandContext& context, const DeadLetterFilter& filter) {
  BusLetters letters;
  const auto enough = [&] {
    return filter.limit > 0 && static_cast<std::int64_t>(letters.items.size()) >= filter.limit;
  };
  for (const Sink& sink : context.sinks) {
    if (enough()) break;
    try {
      sink.bus.DeadLetters(filter.topic.value_or(""), "", [&](const summa_bus_dead_letter& letter) {
        DeadLetterItem item = ToItem(letter);
        const bool wanted = (!filter.key || *filter.key == item.key) &&
                            (!filter.id || *filter.id == item.id || *filter.id == item.outbox_id);
        if (wanted) letters.items.emplace_back(&sink, std::move(item));
        return !enough();
      });
    } catch (const Error& error) {
      const bool of_a_key = error.status() == SUMMA_E_CONFIG || error.status() == SUMMA_E_DENIED;
      if (!of_a_key || letters.items.empty()) throw;
      letters.unread.push_back(error.code() + " " + error.what());
    }
  }
  return letters;
}

struct Letters {
  std::vector<DeadLetterItem> items;
  std::vector<std::string> unread;
};

Letters Read(const CommandCall& call, const CommandContext& context,
             const DeadLetterFilter& filter) {
  if (!FromBus(call)) {
    Session session(call.sql());
    return {context.dead_letters.List(session, filter), {}};
  }
  BusLetters found = ReadBus(context, filter);
  Letters letters{{}, std::move(found.unread)};
  letters.items.reserve(found.items.size());
  for (auto& [sink, item] : found.items) letters.items.push_back(std::move(item));
  return letters;
}

void WriteUnread(JsonWriter& json, std::span<const std::string> unread) {
  if (unread.empty()) return;
  json.Key("unread").BeginArray();
  for (const std::string& reason : unread) json.Value(reason);
  json.EndArray();
}

CommandResult Print(const CommandCall& call, std::string_view counted, std::int64_t count,
                    std::span<const DeadLetterItem> items,
                    std::span<const std::string> unread = {}) {
  JsonWriter json;
  json.BeginObject().Member(counted, count).Member("dryRun", call.Flag("dry-run"));
  json.Key("items").BeginArray();
  for (const DeadLetterItem& item : items) WriteItem(json, item, false);
  json.EndArray();
  WriteUnread(json, unread);
  return {json.EndObject().Take(), !unread.empty()};
}

[[noreturn]] void NoSuchLetter(const CommandCall& call) {
  throw Error(SUMMA_E_NOT_FOUND, "SH-0510",
              "no dead letter has the id " + call.Option("id").value_or(""),
              "`summa-host dlq list` lists the existing ones");
}

CommandResult ChangeOutbox(const CommandCall& call, const CommandContext& context, bool redrive) {
  const DeadLetterFilter filter = FilterOf(call);
  Session session(call.sql());
  const std::vector<DeadLetterItem> items = context.dead_letters.List(session, filter);
  if (items.empty() && filter.id) NoSuchLetter(call);
  std::vector<std::string> ids;
  ids.reserve(items.size());
  for (const DeadLetterItem& item : items) {
    // Summa's foreign key keeps the row of a letter; one without a row has nothing to be sent.
    if (!item.outbox_id.empty()) ids.push_back(item.outbox_id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const AuditEntry audit{redrive ? "dlq redrive" : "dlq discard", "outbox", FilterText(call)};
  std::int64_t changed = 0;
  if (!call.Flag("dry-run")) {
    changed = InPieces(call, audit.action, ids, [&](std::span<const std::string> piece) {
      return redrive ? context.dead_letters.Redrive(session, piece, context.settings.sinks, audit)
                     : context.dead_letters.Discard(session, piece, audit);
    });
  }
  return Print(call, redrive ? "redriven" : "discarded", changed, items);
}

std::int64_t ChangeOnBus(const Sink& sink, const std::string& stream,
                         std::span<const std::string> ids, bool redrive, std::uint64_t* done) {
  std::vector<summa_str> borrowed;
  borrowed.reserve(ids.size());
  for (const std::string& id : ids) borrowed.push_back(ToAbi(id));
  return static_cast<std::int64_t>(redrive ? sink.bus.Redrive(stream, borrowed, done)
                                           : sink.bus.Discard(stream, borrowed, done));
}

CommandResult ChangeBus(const CommandCall& call, const CommandContext& context, bool redrive) {
  const DeadLetterFilter filter = FilterOf(call);
  const BusLetters letters = ReadBus(context, filter);
  if (letters.items.empty() && filter.id) NoSuchLetter(call);
  std::map<std::pair<const Sink*, std::string>, std::vector<std::string>> ids;
  std::vector<DeadLetterItem> items;
  items.reserve(letters.items.size());
  for (const auto& [sink, item] : letters.items) {
    ids[{sink, item.topic}].push_back(item.id);
    items.push_back(item);
  }
  const AuditEntry audit{redrive ? "dlq redrive" : "dlq discard", "bus", FilterText(call)};
  Session session(call.sql());
  std::int64_t changed = 0;
  for (const auto& [place, all] : ids) {
    if (call.Flag("dry-run") || call.ShouldStop()) break;
    changed += InPieces(call, audit.action, all, [&, place = place](auto piece) {
      std::uint64_t done = 0;
      try {
        ChangeOnBus(*place.first, place.second, piece, redrive, &done);
      } catch (const Error&) {
        // What was done in part has happened anyway.
        if (done > 0) {
          context.dead_letters.Audit(session, audit, static_cast<std::int64_t>(done), piece);
        }
        throw;
      }
      context.dead_letters.Audit(session, audit, static_cast<std::int64_t>(done), piece);
      return static_cast<std::int64_t>(done);
    });
  }
  return Print(call, redrive ? "redriven" : "discarded", changed, items, letters.unread);
}

}  // namespace

CommandResult ListDeadLetters(const CommandCall& call, const CommandContext& context) {
  DeadLetterFilter filter = FilterOf(call);
  const auto most = static_cast<std::size_t>(filter.limit);
  if (most > 0) ++filter.limit;  // one more shows that there are others
  Letters letters = Read(call, context, filter);
  const bool more = most > 0 && letters.items.size() > most;
  if (more) letters.items.resize(most);
  JsonWriter json;
  json.BeginObject().Key("items").BeginArray();
  for (const DeadLetterItem& item : letters.items) WriteItem(json, item, false);
  json.EndArray().Member("more", more);
  WriteUnread(json, letters.unread);
  return {json.EndObject().Take(), !letters.unread.empty()};
}

CommandResult ShowDeadLetter(const CommandCall& call, const CommandContext& context) {
  DeadLetterFilter filter = FilterOf(call);
  filter.state = "all";
  const Letters letters = Read(call, context, filter);
  if (letters.items.empty()) NoSuchLetter(call);
  JsonWriter json;
  json.BeginObject().Key("items").BeginArray();
  for (const DeadLetterItem& item : letters.items) WriteItem(json, item, true);
  json.EndArray().EndObject();
  return {json.Take(), false};
}

CommandResult RedriveDeadLetters(const CommandCall& call, const CommandContext& context) {
  return FromBus(call) ? ChangeBus(call, context, true) : ChangeOutbox(call, context, true);
}

CommandResult DiscardDeadLetters(const CommandCall& call, const CommandContext& context) {
  return FromBus(call) ? ChangeBus(call, context, false) : ChangeOutbox(call, context, false);
}

}  // namespace summa::outbox
