#include "expected_rows.hpp"

#include <cmath>
#include <cstdlib>

#include "reconciliation_sql.hpp"

namespace summa::reconciliation {
namespace {

constexpr const char* kHint =
    "`summa-host doctor` looks for what hides rows (policies, views, partitions). When it finds "
    "nothing and the table is complete, the statistics of the table are wrong: ANALYZE it";

bool Far(double rows, double expected, double share, double few) {
  return rows < expected * share && expected - rows >= few;
}

std::string Number(double value) {
  return std::to_string(static_cast<std::int64_t>(std::llround(value)));
}

Error TooFew(const std::string& what) { return {SUMMA_E_DATA, "SH-0709", what, kHint}; }

}  // namespace

std::optional<Error> FarLess(Session& session, const std::vector<RowsRead>& read) {
  std::vector<std::string> names;
  std::vector<std::int64_t> detached;
  for (const RowsRead& each : read) {
    names.push_back(each.table);
    detached.push_back(each.detached);
  }
  const Result expected =
      session.Exec(sql::expected_rows, {TextArray(names), IntegerArray(detached)});
  std::string text;
  for (std::size_t i = 0; i < expected.rows(); ++i) {
    const auto rows = expected[i].Get<double>("expected");
    if (!Far(static_cast<double>(read[i].rows), rows, kMinShare, kFewRows)) continue;
    text += text.empty() ? "" : "; ";
    text += std::to_string(read[i].rows) + " rows of " + read[i].table +
            " were read, but the catalog counts about " + Number(rows);
  }
  if (text.empty()) return std::nullopt;
  return TooFew(text);
}

std::optional<Error> EmptyBeside(Session& session, const ledger::EventTable& table) {
  const std::optional<Error> less = FarLess(session, {{table.name, 0}});
  if (less) return less;
  const auto others =
      session.Exec(sql::other_ledgers, {table.name}).Value<std::optional<std::string>>();
  if (!others) return std::nullopt;
  return Error(SUMMA_E_DATA, "SH-0709",
               table.name + " has no event, and there is a ledger with events in " + *others,
               "Name that schema in database.ledger.schema, unless this ledger is new");
}

std::optional<Error> FarLessOfPart(Session& session, const ledger::EventTable& table,
                                   const Uuid& from, const std::optional<Uuid>& to,
                                   std::int64_t rows) {
  const Result counted =
      session.Exec(sql::expected_rows, {TextArray(std::vector<std::string>{table.name}),
                                        IntegerArray(std::vector<std::int64_t>{0})});
  if (counted[0].Get<double>("expected") < 0) {
    return std::nullopt;  // never analyzed: the planner guesses
  }
  std::string condition = " WHERE aggregate_id >= '" + ToText(from) + "'";
  if (to) condition += " AND aggregate_id < '" + ToText(*to) + "'";
  const auto text = session.Exec("EXPLAIN (FORMAT JSON) SELECT FROM " + table.name + condition)
                        .Value<std::string>();
  constexpr std::string_view kRows = "\"Plan Rows\":";
  const std::size_t at = text.find(kRows);
  if (at == std::string::npos) return std::nullopt;
  const double expected = std::strtod(text.c_str() + at + kRows.size(), nullptr);
  if (!Far(static_cast<double>(rows), expected, kMinShareOfPart, kFewRowsOfPart))
    return std::nullopt;
  return TooFew(std::to_string(rows) +
                " events of the part were read, but the planner expects about " + Number(expected));
}

std::optional<Error> FarLessThanBefore(const std::string& part, std::int64_t before,
                                       std::int64_t rows) {
  if (!Far(static_cast<double>(rows), static_cast<double>(before), kMinShare, kFewRows))
    return std::nullopt;
  return Error(SUMMA_E_DATA, "SH-0709",
               std::to_string(rows) + " rows of the part " + part + " were read, and " +
                   std::to_string(before) + " the time before",
               "`summa-host doctor` looks for what hides rows. When they were removed on purpose: "
               "DELETE FROM "
               "summa_host.verification_part WHERE part = '" +
                   part + "';");
}

}  // namespace summa::reconciliation
