#include <summa/json.hpp>

#include "commands.hpp"

namespace summa::outbox {

CommandResult ShowStatus(const CommandCall& call, const CommandContext& context) {
  Session session(call.sql());
  const Counts counts = context.table.Count(session);
  JsonWriter json;
  json.BeginObject()
      .Member("mode", context.settings.observe ? "observe" : "own")
      .Member("pending", counts.pending);
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

}  // namespace summa::outbox
