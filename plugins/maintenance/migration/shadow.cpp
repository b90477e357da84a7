#include "migration/shadow.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "partition/catalog.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kSuffix = "new";
// A chain is looked for in every partition, and each one is locked by it.
constexpr std::size_t kMostRanges = 1000;
// Each takes between two and three milliseconds of the exchange, while writers wait.
constexpr std::size_t kMostSlices = 300;

void RequireFree(Session& session, const std::string& schema, const std::string& name) {
  const bool taken =
      session.Exec("SELECT to_regclass($1) IS NOT NULL", {QuoteName(schema, name)}).Value<bool>();
  if (taken) ThrowNameTaken(schema, name);
}

// What ALTER DEFAULT PRIVILEGES gives to new tables, and the flat one may not have.
void RevokeDefaults(Session& session, const std::string& shadow) {
  const Result grantees = session.Exec(
      "SELECT DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE "
      "quote_ident(pg_get_userbyid(g.grantee)) END AS grantee FROM pg_class c CROSS JOIN LATERAL "
      "aclexplode(c.relacl) g WHERE c.oid = $1::text::regclass AND g.grantee <> c.relowner",
      {shadow});
  for (const Row row : grantees) {
    session.Exec("REVOKE ALL ON " + shadow + " FROM " + row.Get<std::string>("grantee"));
  }
}

void CopyProperties(Session& session, const Inventory& flat, const std::string& shadow) {
  const Result owner = session.Exec(
      "SELECT quote_ident(pg_get_userbyid(relowner)) AS owner, relreplident::text AS identity FROM "
      "pg_class WHERE oid = $1::bigint::oid",
      {flat.oid});
  RevokeDefaults(session, shadow);
  for (const InventoryItem& grant : flat.OfKind("grant")) {
    // "INSERT (hash) TO app WITH GRANT OPTION"
    const std::size_t to = grant.definition.rfind(" TO ");
    session.Exec("GRANT " + grant.definition.substr(0, to) + " ON " + shadow +
                 grant.definition.substr(to));
  }
  for (const InventoryItem& comment : flat.OfKind("comment")) {
    if (!comment.name.empty()) continue;  // those of columns come with LIKE
    session.Exec(
        "COMMENT ON TABLE " + shadow + " IS " +
        session.Exec("SELECT quote_literal($1::text)", {comment.definition}).Value<std::string>());
  }
  const auto identity = owner[0].Get<std::string>("identity");
  if (identity == "f") session.Exec("ALTER TABLE " + shadow + " REPLICA IDENTITY FULL");
  if (identity == "n") session.Exec("ALTER TABLE " + shadow + " REPLICA IDENTITY NOTHING");
  session.Exec("ALTER TABLE " + shadow + " OWNER TO " + owner[0].Get<std::string>("owner"));
}

// What only a partition can have: options of storage, and targets of statistics, which ANALYZE of a
// partition reads there.
void CopyToLeaf(Session& session, const Inventory& flat, const std::string& leaf) {
  for (const InventoryItem& option : flat.OfKind("option")) {
    session.Exec(
        "ALTER TABLE " + leaf + " SET (" + option.name + " = " +
        session.Exec("SELECT quote_literal($1::text)", {option.definition}).Value<std::string>() +
        ")");
  }
}

void CopyStatistics(Session& session, const Inventory& flat, const std::string& table) {
  const Result targets = session.Exec(
      "SELECT attname, attstattarget::text AS target FROM pg_attribute WHERE attrelid = "
      "$1::bigint::oid AND attnum > 0 AND NOT attisdropped AND attstattarget >= 0",
      {flat.oid});
  for (const Row row : targets) {
    session.Exec("ALTER TABLE " + table + " ALTER COLUMN " +
                 QuoteName(row.Get<std::string>("attname")) + " SET STATISTICS " +
                 row.Get<std::string>("target"));
  }
}

void AddLeaf(Session& session, const Inventory& flat, const PartitionedTable& parent,
             const std::string& suffix, const Range& range, bool keep_bounds) {
  const std::string name = PartitionName(flat.name, suffix);
  RequireFree(session, flat.schema, name);
  const std::string leaf = CreateLeaf(session, parent, name, range.from, range.to);
  CopyToLeaf(session, flat, leaf);
  CopyStatistics(session, flat, leaf);
  std::vector<std::string> attach = StatementsOfAttach(parent.quoted, leaf, range.from, range.to);
  if (keep_bounds) attach.resize(1);
  for (const std::string& statement : attach) session.Exec(statement);
}

struct Span {
  std::optional<DatabaseTime> first;  // nothing: there is no event
  DatabaseTime now;
};

Span SpanOf(Session& session, const Inventory& flat) {
  const Result span = session.Exec("SELECT (SELECT min(created_at) FROM " +
                                   NameOfTable(session, flat.oid).quoted() +
                                   " WHERE isfinite(created_at)) AS first, clock_timestamp() AS "
                                   "now");
  return {span[0].Get<std::optional<DatabaseTime>>("first"), span[0].Get<DatabaseTime>("now")};
}

void RequireFewRanges(Interval interval, std::size_t ranges, std::size_t most = kMostRanges) {
  if (ranges <= most) return;
  throw Error(SUMMA_E_USAGE, "SH-0827",
              "the interval " + std::string(NameOf(interval)) + " makes " + std::to_string(ranges) +
                  " partitions of this history; at most " + std::to_string(most) + " are allowed",
              "Choose a longer --interval");
}

// From the first event, or the bound, to some ranges ahead.
std::vector<Range> RangesOf(Session& session, const Inventory& flat, const ShadowRequest& request) {
  if (request.bound) return RangesFrom(request.interval, *request.bound, request.ahead);
  if (request.end) return RangesUntil(session, flat, request.interval, *request.end);
  const Span span = SpanOf(session, flat);
  const DatabaseTime first = span.first.value_or(span.now);
  const std::vector<Range> ahead = RangesFrom(request.interval, span.now, request.ahead);
  return RangesOver(request.interval, {std::min(first, span.now), ahead.back().to});
}

}  // namespace

void ThrowNameTaken(const std::string& schema, const std::string& name) {
  throw Error(SUMMA_E_DATA, "SH-0822",
              "the migration needs the name " + name + " in schema " + schema +
                  ", and a relation has it already",
              "Look what it is; rename or drop it, and start again");
}

std::vector<Range> RangesUntil(Session& session, const Inventory& flat, Interval interval,
                               DatabaseTime end) {
  const DatabaseTime last = end - std::chrono::microseconds(1);
  const DatabaseTime first = std::min(SpanOf(session, flat).first.value_or(last), last);
  std::vector<Range> ranges = RangesOver(interval, {first, end});
  RequireFewRanges(interval, ranges.size(), kMostSlices);
  ranges.back().to = end;
  return ranges;
}

void RequireFewPartitions(Session& session, const Inventory& flat, const ShadowRequest& request) {
  RequireFewRanges(request.interval, RangesOf(session, flat, request).size());
}

std::int64_t CreateShadow(Session& session, const Inventory& flat, const ShadowRequest& request) {
  const std::string name = PartitionName(flat.name, kSuffix);
  const std::string shadow = QuoteName(flat.schema, name);
  RequireFree(session, flat.schema, name);
  if (!request.end) RequireFree(session, flat.schema, PartitionName(flat.name, "old"));
  session.Exec("CREATE TABLE " + shadow + " (LIKE " + NameOfTable(session, flat.oid).quoted() +
               " INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY) PARTITION BY RANGE "
               "(created_at)");
  CopyProperties(session, flat, shadow);
  CopyStatistics(session, flat, shadow);
  const std::vector<Range> ranges = RangesOf(session, flat, request);
  RequireFewRanges(request.interval, ranges.size());
  // Without its partitions: each is made like the table, and none like the one before.
  const PartitionedTable parent = ReadTable(session, shadow);
  const auto add = [&](const std::string& suffix, const Range& range) {
    AddLeaf(session, flat, parent, suffix, range, request.end.has_value());
  };
  for (const Range& range : ranges) add(SuffixOf(request.interval, range.from), range);
  if (!request.end) add("overflow_high", {ranges.back().to, DatabaseTime::max()});
  if (!request.bound) add("overflow_low", {DatabaseTime::min(), ranges.front().from});
  return parent.oid;
}

}  // namespace summa::maintenance
