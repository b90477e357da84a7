#include "ranges.hpp"

#include <algorithm>
#include <span>

namespace summa::verify {
namespace {

// Rows of the sample per range: cuts are then about a seventh off their place.
constexpr std::int64_t kSampledRowsPerRange = 200;
// The sample is kept in memory, 32 bytes a row; above, cuts become less exact.
constexpr std::int64_t kMaxSampledRows = 400'000;
// Above, ranges grow instead.
constexpr std::int64_t kMaxRanges = 100'000;

struct Sampled {
  Uuid id;
  std::int64_t version;
  friend bool operator<(const Sampled& a, const Sampled& b) {
    return a.id != b.id ? a.id < b.id : a.version < b.version;
  }
};

// All types, by jumping from one to the next in the index: few, however many events there are.
std::vector<std::string> AggregateTypes(Session& session, const ledger::EventTable& table) {
  const Result found =
      session.Exec("WITH RECURSIVE jump AS (SELECT min(aggregate_type) AS type FROM " + table.name +
                   " UNION ALL SELECT (SELECT min(e.aggregate_type) FROM " + table.name +
                   " e WHERE e.aggregate_type > jump.type) FROM jump WHERE jump.type IS NOT NULL) "
                   "SELECT type FROM jump WHERE type IS NOT NULL ORDER BY 1");
  std::vector<std::string> types;
  types.reserve(found.rows());
  for (const Row row : found) types.push_back(row.Get<std::string>("type"));
  return types;
}

std::vector<Sampled> Sample(Session& session, const ledger::EventTable& table,
                            const std::string& type, double percent) {
  const Result found = session.Exec(
      "SELECT aggregate_id, " + table.version + "::bigint AS version FROM " + table.name +
          " TABLESAMPLE SYSTEM (" + std::to_string(percent) + ") WHERE aggregate_type = $1",
      {type});
  std::vector<Sampled> sample;
  sample.reserve(found.rows());
  const auto id = found.Bind<Uuid>("aggregate_id");
  const auto version = found.Bind<std::int64_t>("version");
  for (const Row row : found) sample.push_back({row.Get(id), row.Get(version)});
  std::sort(sample.begin(), sample.end());
  return sample;
}

// The pieces of one type, given where to cut. A cut is between two aggregates, unless several fall
// into the same one: that is then cut by version.
void CutType(const std::string& type, std::span<const Sampled> cuts, std::vector<Range>& ranges) {
  Range open;
  open.aggregate_type = type;
  for (std::size_t at = 0; at < cuts.size();) {
    std::size_t end = at + 1;
    while (end < cuts.size() && cuts[end].id == cuts[at].id) ++end;
    const Uuid id = cuts[at].id;
    open.to = id;
    ranges.push_back(open);
    open.from = id;
    open.to.reset();
    open.includes_from = end - at == 1;
    if (open.includes_from) {
      at = end;
      continue;
    }
    Range piece;
    piece.aggregate_type = type;
    piece.only = id;
    for (; at < end; ++at) {
      if (piece.version_from == cuts[at].version) continue;
      piece.version_to = cuts[at].version;
      ranges.push_back(piece);
      piece.version_from = cuts[at].version;
    }
    piece.version_to.reset();
    ranges.push_back(piece);
  }
  ranges.push_back(open);
}

}  // namespace

std::string Quoted(std::string_view text) {
  std::string out = text.find('\\') == std::string_view::npos ? "'" : " E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out += '\'';
}

std::string Condition(const ledger::EventTable& table, const Range& range) {
  std::string sql = "e.aggregate_type = " + Quoted(range.aggregate_type);
  const auto add = [&sql](std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) sql.append(word);
  };
  if (range.only) add({" AND e.aggregate_id = '", ToText(*range.only), "'"});
  if (range.from) {
    add({" AND e.aggregate_id ", range.includes_from ? ">=" : ">", " '", ToText(*range.from), "'"});
  }
  if (range.to) add({" AND e.aggregate_id < '", ToText(*range.to), "'"});
  if (range.version_from) {
    add({" AND e.", table.version, " >= ", std::to_string(*range.version_from)});
  }
  if (range.version_to) {
    add({" AND e.", table.version, " < ", std::to_string(*range.version_to)});
  }
  return sql;
}

// As the planner does: the density of the last ANALYZE times the pages of today. A table that was
// never analysed is taken to have rows of 300 bytes, so that it is cut all the same.
std::int64_t EstimatedRows(Session& session, const ledger::EventTable& table) {
  const Result found = session.Exec(
      "SELECT coalesce(sum(CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples / "
      "c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int) ELSE "
      "pg_relation_size(c.oid) / 300 END), 0)::bigint FROM pg_catalog.pg_class c WHERE c.relkind = "
      "'r' AND (c.oid = $1::text::regclass OR c.oid IN (SELECT relid FROM "
      "pg_catalog.pg_partition_tree($1::text::regclass)))",
      {table.name});
  return found.Value<std::int64_t>();
}

std::vector<Range> PlanRanges(Session& session, const ledger::EventTable& table,
                              std::int64_t rows_per_range, std::int64_t estimated_rows) {
  const std::int64_t pieces = std::min(estimated_rows / rows_per_range + 1, kMaxRanges);
  const std::int64_t wanted = std::min(pieces * kSampledRowsPerRange, kMaxSampledRows);
  const bool cut = pieces > 1;
  const double percent = cut ? std::min(100.0, 100.0 * static_cast<double>(wanted) /
                                                   static_cast<double>(estimated_rows))
                             : 0;
  const auto step = static_cast<std::size_t>(wanted / pieces);
  std::vector<Range> ranges;
  for (const std::string& type : AggregateTypes(session, table)) {
    const std::vector<Sampled> sample =
        cut ? Sample(session, table, type, percent) : std::vector<Sampled>();
    std::vector<Sampled> cuts;
    cuts.reserve(sample.size() / std::max<std::size_t>(step, 1) + 1);
    for (std::size_t at = step; at < sample.size() && step > 0; at += step) {
      cuts.push_back(sample[at]);
    }
    CutType(type, cuts, ranges);
  }
  return ranges;
}

void Clip(std::vector<Range>& ranges, const std::optional<Uuid>& from,
          const std::optional<Uuid>& to) {
  std::erase_if(ranges, [&](Range& range) {
    if (range.only) return (from && *range.only < *from) || (to && *range.only >= *to);
    if (from && (!range.from || *range.from < *from)) {
      range.from = from;
      range.includes_from = true;
    }
    if (to && (!range.to || *range.to > *to)) range.to = to;
    return range.from && range.to && *range.from >= *range.to;
  });
}

}  // namespace summa::verify
