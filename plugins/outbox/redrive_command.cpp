#include <algorithm>
#include <summa/json.hpp>

#include "commands.hpp"
#include "verify.hpp"

namespace summa::outbox {
namespace {

// One transaction; small enough that its locks are short.
constexpr std::int64_t kPiece = 500;

void WriteItems(JsonWriter& json, std::span<const UndeliveredItem> items) {
  json.Key("items").BeginArray();
  for (const UndeliveredItem& item : items) {
    json.BeginObject()
        .Member("id", item.id)
        .Member("topic", item.topic)
        .Member("key", item.key)
        .EndObject();
  }
  json.EndArray();
}

CommandResult RedriveOne(const CommandCall& call, const CommandContext& context,
                         const std::string& id) {
  RequireUuid(id);
  Session session(call.sql());
  const bool dry_run = call.Flag("dry-run");
  const std::int64_t found =
      dry_run ? static_cast<std::int64_t>(
                    session.Exec("SELECT FROM outbox WHERE id = $1::uuid", {id}).rows())
              : context.dead_letters.Redrive(session, std::span(&id, 1), context.settings.sinks,
                                             {"outbox redrive", "outbox", id});
  if (found == 0) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0506", "no outbox row has the id " + id,
                "delivered rows are deleted after `retention`");
  }
  JsonWriter json;
  json.BeginObject().Member("redriven", dry_run ? 0 : found).Member("id", id);
  if (dry_run) json.Member("dryRun", true);
  json.EndObject();
  return {json.Take(), false};
}

// What one sink lacks, or what Summa lost and so every sink lacks.
struct Batch {
  std::vector<UndeliveredItem> items;
  std::vector<std::string> sinks;
};

CommandResult RedriveBatches(const CommandCall& call, const CommandContext& context,
                             const std::vector<Batch>& batches, const std::string& filter) {
  std::int64_t redriven = 0;
  std::vector<UndeliveredItem> all;
  Session session(call.sql());
  for (const Batch& batch : batches) {
    all.insert(all.end(), batch.items.begin(), batch.items.end());
    std::vector<std::string> ids;
    ids.reserve(batch.items.size());
    for (const UndeliveredItem& item : batch.items) ids.push_back(item.id);
    if (call.Flag("dry-run")) continue;
    redriven += InPieces(call, "redriven", ids, [&](std::span<const std::string> piece) {
      return context.dead_letters.Redrive(session, piece, batch.sinks,
                                          {"outbox redrive", "outbox", filter});
    });
  }
  JsonWriter json;
  json.BeginObject().Member("redriven", redriven).Member("dryRun", call.Flag("dry-run"));
  WriteItems(json, all);
  json.EndObject();
  return {json.Take(), false};
}

}  // namespace

void RequireUuid(const std::string& id) {
  if (ParseUuid(id)) return;
  throw Error(SUMMA_E_USAGE, "SH-0507", "\"" + id + "\" is not the id of an outbox row",
              "give a UUID, for example from `summa-host bus tail`");
}

std::int64_t InPieces(const CommandCall& call, std::string_view label,
                      std::span<const std::string> ids,
                      const std::function<std::int64_t(std::span<const std::string>)>& change) {
  const std::int64_t rate = call.IntegerOption("rate").value_or(0);
  const auto piece = static_cast<std::size_t>(rate > 0 ? std::min(rate, kPiece) : kPiece);
  const auto total = static_cast<std::int64_t>(ids.size());
  std::int64_t changed = 0;
  while (!ids.empty()) {
    const std::size_t count = std::min(piece, ids.size());
    changed += change(ids.first(count));
    ids = ids.subspan(count);
    call.Progress(label, changed, total);
    if (ids.empty() || call.ShouldStop()) break;
    if (rate > 0 &&
        call.Wait(std::chrono::microseconds(static_cast<std::int64_t>(count) * 1'000'000 / rate))) {
      break;
    }
  }
  return changed;
}

CommandResult Redrive(const CommandCall& call, const CommandContext& context) {
  const auto id = call.Option("id");
  const bool missing = call.Flag("missing"), lost = call.Flag("lost");
  if ((id ? 1 : 0) + (missing ? 1 : 0) + (lost ? 1 : 0) != 1) {
    throw Error(SUMMA_E_USAGE, "SH-0509", "it is not specified which rows are to be sent again",
                "give exactly one of --id ID, --missing, --lost");
  }
  if (id) return RedriveOne(call, context, *id);
  std::vector<Batch> batches;
  if (lost) {
    Session session(call.sql());
    batches.push_back({context.dead_letters.LostBySumma(session), context.settings.sinks});
  } else {
    for (const Sink& sink : context.sinks) {
      batches.push_back({FindMissing(call, context, sink).missing, {sink.id}});
    }
  }
  return RedriveBatches(call, context, batches, lost ? "--lost" : "--missing");
}

}  // namespace summa::outbox
