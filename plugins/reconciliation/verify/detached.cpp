#include "detached.hpp"

#include <algorithm>
#include <utility>

#include "verify_sql.hpp"

namespace summa::verify {
namespace {

constexpr const char* kTables =
    "SELECT to_regclass('summa_host.partition_record') IS NOT NULL AND "
    "to_regclass('summa_host.partition_edge') IS NOT NULL AS records, "
    "to_regclass('summa_host.ledger_event_key') IS NOT NULL AS keys";

// Neighbours are one span, so that the condition stays short.
class Spans {
 public:
  void Add(DatabaseTime from, DatabaseTime to) {  // in the order of `from`
    if (!spans_.empty() && from <= spans_.back().second) {
      spans_.back().second = std::max(spans_.back().second, to);
    } else {
      spans_.emplace_back(from, to);
    }
  }
  std::string Condition() const {
    std::string text;
    for (const auto& [from, to] : spans_) {
      text += text.empty() ? "(" : " OR (";
      text += "true";
      if (from != DatabaseTime::min()) text += " AND e.created_at >= '" + IsoText(from) + "'";
      if (to != DatabaseTime::max()) text += " AND e.created_at < '" + IsoText(to) + "'";
      text += ")";
    }
    return "(" + text + ")";
  }

 private:
  std::vector<std::pair<DatabaseTime, DatabaseTime>> spans_;
};

}  // namespace

Detached Detached::Find(Session& session, const ledger::EventTable& table) {
  Detached detached;
  // A flat table has no partitions, whatever is still recorded of one that had its name.
  if (!table.partitioned) return detached;
  const Result tables = session.Exec(kTables);
  if (!tables[0].Get<bool>("records")) return detached;
  const Result found = session.Exec(sql::detached_partitions, {table.name});
  if (found.rows() == 0) return detached;
  detached.table_ = table;
  detached.records_ = "'{";
  Spans spans;
  for (const Row row : found) {
    if (detached.records_.back() != '{') detached.records_ += ',';
    detached.records_ += std::to_string(row.Get<std::int64_t>("id"));
    spans.Add(row.Get<DatabaseTime>("from_time"), row.Get<DatabaseTime>("to_time"));
    detached.events_ += row.Get<std::int64_t>("events");
    detached.changed_at_ =
        std::max(detached.changed_at_, ToMicroseconds(row.Get<DatabaseTime>("updated_at")));
  }
  detached.records_ += "}'::bigint[]";
  detached.spans_ = spans.Condition();
  detached.has_keys_ = tables[0].Get<bool>("keys");
  return detached;
}

std::string Detached::Edges(const std::string& type, const std::string& id) const {
  return " FROM summa_host.partition_edge d WHERE d.aggregate_type = " + type +
         " AND d.aggregate_id = " + id + " AND d.record = ANY (" + records_ + ")";
}

std::string Detached::RunsBelow(const std::string& type, const std::string& id,
                                const std::string& version) const {
  const std::string predecessor =
      "(SELECT p." + table_.hash + " FROM " + table_.name +
      " p WHERE p.aggregate_type = d.aggregate_type AND p.aggregate_id = d.aggregate_id AND p." +
      table_.version + " = d.first_version - 1 LIMIT 1)";
  return "SELECT string_agg(concat_ws(',', d.first_version, d.last_version, "
         "coalesce(d.first_previous_hash, ''), d.last_hash, coalesce(" +
         predecessor + ", '')), ';' ORDER BY d.last_version DESC)" + Edges(type, id) +
         " AND d.last_version < " + version;
}

std::string Detached::Contains(const std::string& type, const std::string& id,
                               const std::string& version, const std::string& hash) const {
  return "EXISTS (SELECT" + Edges(type, id) + " AND " + version +
         " BETWEEN d.first_version AND d.last_version AND (" + version +
         " < d.last_version OR d.last_hash = " + hash + "))";
}

std::string Detached::CountUpTo(const std::string& type, const std::string& id,
                                const std::string& version) const {
  return "(SELECT coalesce(sum(least(d.last_version, " + version +
         ") - d.first_version + 1), 0)::bigint" + Edges(type, id) +
         " AND d.first_version <= " + version + ")";
}

std::string Detached::Extent(const std::string& type, const std::string& id) const {
  if (!any()) return "SELECT 0::bigint AS first_version, 0::bigint AS last_version";
  return "SELECT coalesce(min(d.first_version), 0) AS first_version, coalesce(max(d.last_version), "
         "0) AS last_version" +
         Edges(type, id);
}

std::string Detached::HasTransactionOf(const std::string& row) const {
  return "EXISTS (SELECT FROM summa_host.partition_edge d JOIN summa_host.partition_record r ON "
         "r.id = d.record JOIN transaction_record t ON t.created_at < r.to_time WHERE "
         "d.aggregate_type = " +
         row + ".aggregate_type AND d.aggregate_id = " + row +
         ".aggregate_id AND d.record = ANY (" + records_ + ") AND t.id = " + row +
         ".transaction_id)";
}

std::vector<DetachedRun> Detached::RunsOf(Session& session, const std::string& type, const Uuid& id,
                                          std::int64_t below) const {
  if (!any()) return {};
  const auto text =
      session.Exec(RunsBelow("$1::text", "$2::uuid", "$3::bigint"), {type, UuidValue(id), below})
          .Value<std::optional<std::string>>();
  return text ? ParseRuns(*text) : std::vector<DetachedRun>();
}

std::string Detached::IsAway(std::int64_t from, std::int64_t to) const {
  return "EXISTS (SELECT FROM summa_host.partition_record r WHERE r.id = ANY (" + records_ +
         ") AND k.created_at >= r.from_time AND k.created_at < r.to_time) AND NOT EXISTS (SELECT "
         "FROM (SELECT e." +
         table_.position + " AS position FROM " + table_.name + " e WHERE " + spans_ + " AND e." +
         table_.position + " BETWEEN " + std::to_string(from) + " AND " + std::to_string(to) +
         " OFFSET 0) here WHERE here.position = k.position)";
}

std::vector<std::int64_t> Detached::Positions(Session& session, std::int64_t from,
                                              std::int64_t to) const {
  std::vector<std::int64_t> positions;
  if (!any() || !has_keys_) return positions;
  const Result found = session.Exec(
      "SELECT k.position FROM summa_host.ledger_event_key k WHERE k.position BETWEEN $1::bigint "
      "AND $2::bigint AND " +
          IsAway(from, to) + " ORDER BY k.position",
      {from, to});
  positions.reserve(found.rows());
  for (const Row row : found) positions.push_back(row.Get<std::int64_t>("position"));
  return positions;
}

std::vector<std::int64_t> Detached::Count(Session& session, std::span<const std::int64_t> from,
                                          std::span<const std::int64_t> to) const {
  std::vector<std::int64_t> counts(from.size());
  if (!any() || !has_keys_ || from.empty()) return counts;
  const Result found = session.Exec(
      "SELECT b.number, count(*) AS events FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY "
      "AS b (low, high, number) JOIN summa_host.ledger_event_key k ON k.position BETWEEN b.low AND "
      "b.high WHERE " +
          IsAway(*std::min_element(from.begin(), from.end()),
                 *std::max_element(to.begin(), to.end())) +
          " GROUP BY 1",
      {IntegerArray(from), IntegerArray(to)});
  for (const Row row : found) {
    counts[static_cast<std::size_t>(row.Get<std::int64_t>("number") - 1)] =
        row.Get<std::int64_t>("events");
  }
  return counts;
}

}  // namespace summa::verify
