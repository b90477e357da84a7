#include "examine.hpp"

#include <cstdlib>
#include <string>

#include "outbox_sql.hpp"

namespace summa::outbox {
namespace {

using Report = std::function<void(const Finding&)>;

// Rows die here as fast as they come: at PostgreSQL's 20 % a poll would walk over hundreds of
// thousands of dead entries before they are removed.
constexpr double kScaleFactor = 0.05;

constexpr const char* kCreateIndex =
    "CREATE INDEX CONCURRENTLY idx_outbox_waiting ON outbox (created_at) WHERE status = 'pending' "
    "AND processed_at IS NULL;";

// A poll walks the rows that wait in the order of created_at: along an index of (created_at) of
// those rows, or of (status, created_at) of all.
void ExamineIndexes(Session& session, const Report& report) {
  const Result result = session.Exec(sql::examine_indexes);
  std::string usable;
  bool partial = false;
  for (const summa::Row row : result) {
    const auto name = row.Get<std::string>("name");
    if (!row.Get<bool>("usable")) {
      report({Severity::kError, "index", name + " is not valid", "an index that can be used",
              "DROP INDEX CONCURRENTLY " + name + "; and create it again"});
      continue;
    }
    usable.append(usable.empty() ? "" : ", ").append(name);
    partial = partial || row.Get<bool>("partial");
  }
  if (usable.empty()) {
    report({Severity::kError, "index", "none that finds waiting rows",
            "an index on created_at of waiting rows: otherwise each poll reads the whole table",
            kCreateIndex});
  } else if (!partial) {
    report({Severity::kWarning, "index", usable + " also contains delivered rows",
            "an index of waiting rows only: it stays small however long rows are kept",
            kCreateIndex});
  } else {
    report({Severity::kOk, "index", usable, "", ""});
  }
}

void ExamineRows(Session& session, const Report& report) {
  const Result result = session.Exec(sql::examine_table);
  if (result.rows() == 0) return;  // reported where rights and tables are checked
  const auto factor = result[0].Get<std::string>("scale_factor");
  const bool often = std::atof(factor.c_str()) <= kScaleFactor;
  report({often ? Severity::kOk : Severity::kWarning, "autovacuum",
          "autovacuum_vacuum_scale_factor is " + factor, "0.05 or less for this table",
          often ? "" : "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.01);"});
  const auto dead_letters = result[0].Get<std::int64_t>("dead_letters");
  const auto blocked = result[0].Get<std::int64_t>("blocked_keys");
  const bool none = dead_letters == 0 && blocked == 0;
  report({none ? Severity::kOk : Severity::kWarning, "dead letters",
          std::to_string(dead_letters) + " open, " + std::to_string(blocked) + " keys blocked",
          "none",
          none ? ""
               : "`summa-host dlq list` shows why; fix the cause, then `summa-host dlq redrive`"});
}

}  // namespace

void ExamineTable(Session& session, const Report& report) {
  ExamineIndexes(session, report);  // outside a transaction a session is read only
  ExamineRows(session, report);
}

}  // namespace summa::outbox
