#include "late_events.hpp"

#include <algorithm>
#include <map>
#include <summa/crash_point.hpp>

#include "content_hash.hpp"
#include "reconciliation_sql.hpp"
#include "statement.hpp"
#include "verify/detached.hpp"
#include "verify/finding.hpp"

namespace summa::reconciliation {
namespace {

// Sealed late events that are compared by one statement.
constexpr std::int64_t kPage = 1000;

struct Read {
  std::string event_id, hash, content_hash;
};

std::map<std::int64_t, Read> ReadEvents(Session& session, const ledger::EventTable& table,
                                        std::span<const std::int64_t> positions) {
  const Result rows = session.Exec("SELECT " + ContentHash::Columns(table) + " FROM " + table.name +
                                       " WHERE " + table.position + " = ANY ($1)",
                                   {IntegerArray(positions)});
  std::map<std::int64_t, Read> events;
  for (const Row row : rows) {
    ContentHash content;
    content.Add(ContentHash::Read(row));
    events[row.Get<std::int64_t>("position")] = {
        ToText(row.Get<Uuid>("id")), row.Get<std::optional<std::string>>("hash").value_or(""),
        content.Finish()};
  }
  return events;
}

Discrepancy Changed(const Row& sealed, const Read* now) {
  Discrepancy finding;
  finding.kind =
      now == nullptr ? verify::kind::kBlockCoverageGap : verify::kind::kBlockHashMismatch;
  finding.position = sealed.Get<std::int64_t>("position");
  finding.event_id = sealed.Get<std::string>("event_id");
  finding.block_sequence = sealed.Get<std::int64_t>("block_sequence");
  finding.expected = sealed.Get<std::string>("event_hash");
  if (now == nullptr) {
    finding.found = "the late event is gone";
  } else {
    finding.found = now->hash == finding.expected ? "another column was changed" : now->hash;
  }
  return finding;
}

}  // namespace

std::vector<LateEvent> FindLateEvents(Session& session, const ledger::EventTable& table,
                                      std::int64_t blocks) {
  const Result rows = session.Exec(ForTable(sql::late_events, table), {blocks});
  std::vector<LateEvent> late;
  late.reserve(rows.rows());
  for (const Row row : rows) {
    late.push_back({row.Get<std::int64_t>("position"), row.Get<std::int64_t>("block_sequence"),
                    ToText(row.Get<Uuid>("id"))});
  }
  return late;
}

std::int64_t SealLateEvents(const summa_sql_v1* sql, const ledger::EventTable& table,
                            std::span<const std::int64_t> positions) {
  if (positions.empty()) return 0;
  Session session(sql);
  session.Begin();
  std::int64_t sealed = 0;
  for (const auto& [position, event] : ReadEvents(session, table, positions)) {
    sealed +=
        session.Exec(sql::late_insert, {position, event.event_id, event.hash, event.content_hash})
            .affected_rows();
  }
  CrashPoint("reconciliation.late");
  session.Commit();
  CrashPoint("reconciliation.late_sealed");
  return sealed;
}

Findings CheckLateEvents(Session& session, const ledger::EventTable& table) {
  Findings findings;
  for (std::int64_t after = INT64_MIN;;) {
    const Result sealed = session.Exec(sql::late_sealed, {after, kPage});
    std::vector<std::int64_t> positions;
    positions.reserve(sealed.rows());
    for (const Row row : sealed) positions.push_back(row.Get<std::int64_t>("position"));
    if (positions.empty()) return findings;
    after = positions.back();
    const std::map<std::int64_t, Read> events = ReadEvents(session, table, positions);
    // After the events: what left with a partition meanwhile is known to have left.
    std::vector<std::int64_t> elsewhere;
    if (events.size() < positions.size()) {
      elsewhere = verify::Detached::Find(session, table)
                      .Positions(session, positions.front(), positions.back());
    }
    for (const Row row : sealed) {
      const auto event = events.find(row.Get<std::int64_t>("position"));
      const Read* now = event == events.end() ? nullptr : &event->second;
      if (now != nullptr && now->content_hash == row.Get<std::string_view>("content_hash"))
        continue;
      const bool left =
          std::binary_search(elsewhere.begin(), elsewhere.end(), row.Get<std::int64_t>("position"));
      if (now == nullptr && left) continue;
      findings.Add(Changed(row, now));
    }
  }
}

}  // namespace summa::reconciliation
