#include "commands.hpp"

#include <algorithm>
#include <cctype>
#include <summa/json.hpp>

namespace summa::outbox {
namespace {

bool IsUuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

}  // namespace

CommandResult ShowStatus(const CommandCall& call, const OutboxTable& table,
                         const std::string& mode) {
  Session session(call.sql());
  const Counts counts = table.Count(session);
  JsonWriter json;
  json.BeginObject().Member("mode", mode).Member("pending", counts.pending);
  json.Key("oldestPendingAgeSeconds");
  if (counts.oldest_pending_age_seconds) {
    json.Value(*counts.oldest_pending_age_seconds);
  } else {
    json.Null();
  }
  json.Member("processed", counts.processed)
      .Member("failed", counts.failed)
      .Member("deadLetters", counts.dead_letters)
      .Member("blockedKeys", counts.blocked_keys)
      .TextOrNull("lastDeliveredAt", counts.last_delivered_at)
      .EndObject();
  return {json.Take(), false};
}

CommandResult Redrive(const CommandCall& call, const OutboxTable& table) {
  const std::string id = call.Option("id").value_or("");
  if (!IsUuid(id)) {
    throw Error(SUMMA_E_USAGE, "SH-0507", "\"" + id + "\" is not the id of an outbox row",
                "give a UUID, for example from `summa-host bus tail`");
  }
  Session session(call.sql());
  session.Begin();
  const bool found = table.Redrive(session, id);
  session.Commit();
  if (!found) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0506", "no outbox row has the id " + id,
                "delivered rows are deleted after `retention`");
  }
  JsonWriter json;
  json.BeginObject().Member("redriven", 1).Member("id", id).EndObject();
  return {json.Take(), false};
}

}  // namespace summa::outbox
