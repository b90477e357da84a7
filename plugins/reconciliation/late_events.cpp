#include "late_events.hpp"

#include <map>
#include <summa/crash_point.hpp>

#include "content_hash.hpp"
#include "reconciliation_sql.hpp"
#include "statement.hpp"
#include "verify/finding.hpp"

namespace summa::reconciliation {
namespace {

// Sealed late events that are compared by one statement.
constexpr std::int64_t kPage = 1000;

// A row of a result as ContentHash reads it.
class ResultRow {
 public:
  ResultRow(const Result& result, std::size_t row) : result_(result), row_(row) {}
  Cell Next() { return result_.At(row_, column_++); }

 private:
  const Result& result_;
  std::size_t row_, column_ = 0;
};

struct Read {
  std::string event_id, hash, content_hash;
};

std::map<std::int64_t, Read> ReadEvents(Session& session, const ledger::EventTable& table,
                                        std::span<const std::int64_t> positions) {
  const Result rows = session.Exec("SELECT " + ContentHash::Columns(table) + " FROM " + table.name +
                                       " WHERE " + table.position + " = ANY ($1)",
                                   {IntegerArray(positions)});
  std::map<std::int64_t, Read> events;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    ResultRow source(rows, i);
    const ContentHash::Row row = ContentHash::Read(source);
    ContentHash content;
    content.Add(row);
    events[row[ContentHash::kPosition].Integer()] = {ToText(row[ContentHash::kId].AsUuid()),
                                                     std::string(row[ContentHash::kHash].Text()),
                                                     content.Finish()};
  }
  return events;
}

Discrepancy Changed(std::int64_t position, const Result& sealed, std::size_t row, const Read* now) {
  Discrepancy finding;
  finding.kind =
      now == nullptr ? verify::kind::kBlockCoverageGap : verify::kind::kBlockHashMismatch;
  finding.position = position;
  finding.event_id = sealed.At(row, 1).Text();
  finding.block_sequence = sealed.At(row, 4).Integer();
  finding.expected = sealed.At(row, 2).Text();
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
  std::vector<LateEvent> late(rows.rows());
  for (std::size_t i = 0; i < late.size(); ++i) {
    late[i] = {rows.At(i, 0).Integer(), rows.At(i, 1).Integer(), ToText(rows.At(i, 2).AsUuid())};
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
    for (std::size_t i = 0; i < sealed.rows(); ++i) positions.push_back(sealed.At(i, 0).Integer());
    if (positions.empty()) return findings;
    after = positions.back();
    const std::map<std::int64_t, Read> events = ReadEvents(session, table, positions);
    for (std::size_t i = 0; i < sealed.rows(); ++i) {
      const auto event = events.find(positions[i]);
      const Read* now = event == events.end() ? nullptr : &event->second;
      if (now != nullptr && now->content_hash == sealed.At(i, 3).Text()) continue;
      findings.Add(Changed(positions[i], sealed, i, now));
    }
  }
}

}  // namespace summa::reconciliation
