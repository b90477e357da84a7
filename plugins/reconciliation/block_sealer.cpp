#include "block_sealer.hpp"

#include <summa/copy_row.hpp>
#include <summa/crash_point.hpp>
#include <summa/ledger/canonical_json.hpp>
#include <summa/ledger/reader.hpp>

#include "content_hash.hpp"
#include "late_events.hpp"
#include "positions.hpp"
#include "reconciliation_sql.hpp"
#include "statement.hpp"
#include "verify/finding.hpp"

namespace summa::reconciliation {
namespace {

// Blocks among which late events are looked for each time; older ones by the full verification.
constexpr std::int64_t kBlocksLookedBack = 100;

Discrepancy WrongHash(const ContentHash::Row& event, std::string computed) {
  Discrepancy wrong;
  wrong.kind = verify::kind::kEventHashMismatch;
  wrong.event_id = ToText(ReadAs<Uuid>(event[ContentHash::kId]));
  wrong.aggregate_type = ReadAs<std::string>(event[ContentHash::kType]);
  wrong.aggregate_id = ToText(ReadAs<Uuid>(event[ContentHash::kAggregate]));
  wrong.version = ReadAs<std::int64_t>(event[ContentHash::kVersion]);
  wrong.position = ReadAs<std::int64_t>(event[ContentHash::kPosition]);
  wrong.expected = ContentHash::HashOf(event);
  wrong.found = std::move(computed);
  return wrong;
}

}  // namespace

SealOutcome BlockSealer::Run() {
  SealOutcome outcome;
  Session session(sql_);
  table_ = ledger::FindEvents(session);
  const std::int64_t horizon = Horizon(session);
  LastBlock last = ReadLast(session);
  while (last.to < horizon) {
    const Draft draft = Read(session, last, horizon, outcome);
    if (draft.events == 0) break;
    CrashPoint("reconciliation.sealing");
    if (Write(last, draft)) {
      ++outcome.blocks;
      outcome.events += draft.events;
    }
    last = ReadLast(session);
    work_.Progress("events sealed", outcome.events, 0);
    work_.Read(draft.events);
  }
  SealLate(session, outcome);
  outcome.sealed_position = last.to;
  outcome.waiting_events =
      session.Exec(ForTable(sql::events_above, table_), {last.to}).Value<std::int64_t>();
  return outcome;
}

std::int64_t BlockSealer::Horizon(Session& session) {
  std::vector<ledger::OpenWriter> writers;
  const std::optional<std::int64_t> horizon = ledger::WaitForHorizon(
      session, table_, settings_.timeout,
      [&](std::chrono::microseconds time) { return work_.Wait(time); }, &writers);
  if (horizon) return *horizon;
  work_.ThrowIfStopped();
  std::string who = "a transaction";
  if (!writers.empty()) {
    const ledger::OpenWriter& writer = writers.front();
    who = writer.pid == 0 ? "a prepared transaction"
                          : "pid " + std::to_string(writer.pid) + ", open for " +
                                std::to_string(writer.age_microseconds / 1'000'000) + " s";
  }
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0702",
              "no block can be created: " + who + " may still add an event below",
              "end it; sealing continues by itself");
}

LastBlock BlockSealer::ReadLast(Session& session) {
  const Result last = session.Exec(sql::last_block);
  if (last.rows() == 0) return {};
  return {last[0].Get<std::string>("id"), last[0].Get<std::string>("block_hash"),
          last[0].Get<std::int64_t>("block_sequence"),
          last[0].Get<std::int64_t>("to_event_sequence")};
}

BlockSealer::Draft BlockSealer::Read(Session& session, const LastBlock& last, std::int64_t horizon,
                                     SealOutcome& outcome) {
  const std::string statement =
      "COPY (SELECT " + ContentHash::Columns(table_) + ", event_data::text FROM " + table_.name +
      " WHERE " + table_.position + " > " + std::to_string(last.to) + " AND " + table_.position +
      " <= " + std::to_string(horizon) + " ORDER BY " + table_.position + " LIMIT " +
      std::to_string(settings_.block_size) + ") TO STDOUT (FORMAT binary)";
  Draft draft;
  ledger::Hasher hashes, events(settings_.hmac_secret);
  ledger::Canonicalizer canonicalizer;
  ContentHash content;
  Positions positions;
  CopyRow row;
  session.CopyOut(statement, [&](std::string_view message) {
    if (!row.Open(message)) return true;
    const ContentHash::Row event = ContentHash::Read(row);
    const auto position = ReadAs<std::int64_t>(event[ContentHash::kPosition]);
    const std::string_view hash = ContentHash::HashOf(event);
    // Without a gap between the blocks: what appears there is below the last block, and late.
    if (draft.events++ == 0) draft.from = last.id.empty() ? position : last.to + 1;
    draft.to = position;
    hashes.Add(hash);
    content.Add(event);
    positions.Add(position);
    const ledger::Hash computed =
        events.Event(ReadAs<std::optional<std::string_view>>(event[ContentHash::kPreviousHash]),
                     canonicalizer.EventData(row.Next<std::string_view>()));
    if (computed != hash) {
      outcome.findings.Add(WrongHash(event, computed.string()));
    }
    return true;
  });
  draft.events_hash = hashes.Finish().string();
  draft.content_hash = content.Finish();
  draft.positions = positions.Text();
  return draft;
}

bool BlockSealer::Write(const LastBlock& last, const Draft& draft) {
  std::optional<std::string_view> before;
  if (!last.id.empty()) before = last.hash;
  const std::string block_hash = ledger::BlockHash(before, draft.events_hash).string();
  Session session(sql_);
  session.Begin();
  const Result made =
      session.Exec(sql::block_insert,
                   {draft.from, draft.to, draft.events, draft.events_hash, block_hash,
                    last.id.empty() ? Parameter(nullptr) : Parameter(last.id),
                    last.id.empty() ? Parameter(nullptr) : Parameter(last.hash), last.sequence});
  if (made.rows() == 0) {
    session.Rollback();
    return false;
  }
  session.Exec(sql::seal_insert,
               {made[0].Get<std::string>("id"), made[0].Get<std::int64_t>("block_sequence"),
                block_hash, draft.positions, draft.content_hash});
  CrashPoint("reconciliation.seal");
  session.Commit();
  CrashPoint("reconciliation.sealed");
  return true;
}

void BlockSealer::SealLate(Session& session, SealOutcome& outcome) {
  const std::vector<LateEvent> late = FindLateEvents(session, table_, kBlocksLookedBack);
  std::vector<std::int64_t> positions;
  positions.reserve(late.size());
  for (const LateEvent& event : late) {
    positions.push_back(event.position);
    work_.host().Log(SUMMA_LOG_WARN, "SH-0704", "an event appeared below the last block",
                     {{"position", std::to_string(event.position)},
                      {"event_id", event.event_id},
                      {"block_sequence", std::to_string(event.block_sequence)}});
  }
  outcome.late = SealLateEvents(sql_, table_, positions);
}

}  // namespace summa::reconciliation
