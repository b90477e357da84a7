#include "tests/bench/projections_roofline.hpp"

#include <libpq-fe.h>

#include <stdexcept>

#include "tests/bench/report.hpp"

namespace summa::bench {
namespace {

constexpr const char* kAccounts = "account_balance_view";
constexpr const char* kEntries = "entry_record_view";
constexpr const char* kTransactions = "transaction_summary_view";
constexpr const char* kHolders = "holder_dashboard_view";
constexpr const char* kViews[] = {kAccounts, kEntries, kTransactions, kHolders};

constexpr const char* kAccountColumns = "id, credits, debits, position, updated_at";
constexpr const char* kHolderColumns =
    "holder_id, holder_type, currency, credits, debits, transactions, updated_at";

std::string TableOf(const std::string& view) { return "summa_read." + view + "_1"; }

std::vector<std::string> ViewsOf(BareModels models) {
  if (models == BareModels::kAccountBalance) return {kAccounts};
  return {std::begin(kViews), std::end(kViews)};
}

std::string ColumnsOf(test::Db& db, const std::string& view) {
  return db.Value(
      "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE "
      "attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
      {TableOf(view)});
}

[[noreturn]] void Refuse(test::Db& db) {
  throw std::runtime_error(std::string("COPY: ") + PQerrorMessage(db.Handle()));
}

void EndCopy(test::Db& db) {
  PGresult* end = PQgetResult(db.Handle());
  const bool done = PQresultStatus(end) == PGRES_COMMAND_OK;
  PQclear(end);
  while (PGresult* more = PQgetResult(db.Handle())) PQclear(more);
  if (!done) Refuse(db);
}

// The result of a query, in the binary form of COPY.
std::string CopyOut(test::Db& db, const std::string& query) {
  const std::string statement = "COPY (" + query + ") TO STDOUT (FORMAT binary)";
  PGresult* begun = PQexec(db.Handle(), statement.c_str());
  const bool copies = PQresultStatus(begun) == PGRES_COPY_OUT;
  PQclear(begun);
  if (!copies) Refuse(db);
  std::string all;
  char* data = nullptr;
  for (int size; (size = PQgetCopyData(db.Handle(), &data, 0)) > 0;) {
    all.append(data, static_cast<std::size_t>(size));
    PQfreemem(data);
  }
  EndCopy(db);
  return all;
}

void CopyIn(test::Db& db, const std::string& into, const std::string& data) {
  const std::string statement = "COPY " + into + " FROM STDIN (FORMAT binary)";
  PGresult* begun = PQexec(db.Handle(), statement.c_str());
  const bool copies = PQresultStatus(begun) == PGRES_COPY_IN;
  PQclear(begun);
  if (!copies || PQputCopyData(db.Handle(), data.data(), static_cast<int>(data.size())) != 1 ||
      PQputCopyEnd(db.Handle(), nullptr) != 1) {
    Refuse(db);
  }
  EndCopy(db);
}

constexpr const char* kUpdateAccounts =
    "UPDATE summa_read.account_balance_view_1 v SET balance = v.balance + n.credits - n.debits, "
    "available_balance = v.available_balance + n.credits - n.debits, credit_balance = "
    "v.credit_balance + n.credits, debit_balance = v.debit_balance + n.debits, position = "
    "n.position, updated_at = greatest(v.updated_at, n.updated_at) FROM changed_account n WHERE "
    "v.id = n.id";
constexpr const char* kUpdateHolders =
    "UPDATE summa_read.holder_dashboard_view_1 v SET balance = v.balance + n.credits - n.debits, "
    "available_balance = v.available_balance + n.credits - n.debits, credits = v.credits + "
    "n.credits, debits = v.debits + n.debits, transactions = v.transactions + n.transactions, "
    "last_transaction_at = n.updated_at, updated_at = greatest(v.updated_at, n.updated_at) FROM "
    "changed_holder n WHERE "
    "(v.holder_id, v.holder_type, v.currency) = (n.holder_id, n.holder_type, n.currency)";

}  // namespace

void BareWriter::Save(test::Db& db) {
  for (const std::string view : kViews) {
    db.Execute("CREATE TABLE before_" + view + " AS SELECT * FROM " + TableOf(view));
  }
}

BareWriter::BareWriter(const std::string& url, long long batch) : db_(url) {
  for (const std::string view : kViews) {
    db_.Execute("CREATE TABLE made_" + view + " AS SELECT * FROM " + TableOf(view));
  }
  Stage(batch);
  StageChanges();
  TakePieces();
  db_.Execute("CREATE TEMPORARY TABLE changed_account ON COMMIT DELETE ROWS AS SELECT " +
              std::string(kAccountColumns) +
              " FROM staged_account LIMIT 0; "
              "CREATE TEMPORARY TABLE changed_holder ON COMMIT DELETE ROWS AS SELECT " +
              kHolderColumns + " FROM staged_holder LIMIT 0");
}

// New rows, with the number of their batch.
void BareWriter::Stage(long long batch) {
  const std::string number =
      "(position - 1 - (SELECT max(position) FROM before_account_balance_view)) / " +
      std::to_string(batch) + " AS batch";
  for (const std::string view : {kEntries, kTransactions}) {
    db_.Execute("CREATE TEMPORARY TABLE staged_" + view + " AS SELECT " + number +
                ", m.* FROM made_" + view + " m WHERE NOT EXISTS (SELECT FROM before_" + view +
                " b WHERE b.id = m.id) ORDER BY position, id; CREATE INDEX ON staged_" + view +
                " (batch); ANALYZE staged_" + view);
  }
}

// What each batch adds to accounts and holders.
void BareWriter::StageChanges() {
  db_.Execute(
      "CREATE TEMPORARY TABLE staged_account AS SELECT batch, account_id AS id, "
      "coalesce(sum(amount) FILTER (WHERE entry_type = 'CREDIT'), 0)::bigint AS credits, "
      "coalesce(sum(amount) FILTER (WHERE entry_type = 'DEBIT'), 0)::bigint AS debits, count(*) AS "
      "transactions, max(position) AS position, max(created_at) AS updated_at FROM "
      "staged_entry_record_view GROUP BY batch, account_id ORDER BY batch, account_id; "
      "CREATE INDEX ON staged_account (batch); "
      "CREATE TEMPORARY TABLE staged_holder AS SELECT batch, holder_id, holder_type, currency, "
      "sum(credits)::bigint AS credits, sum(debits)::bigint AS debits, sum(transactions)::bigint "
      "AS transactions, max(s.updated_at) AS updated_at FROM staged_account s JOIN "
      "made_account_balance_view a USING (id) GROUP BY batch, holder_id, holder_type, currency "
      "ORDER BY batch, holder_id; CREATE INDEX ON staged_holder (batch); ANALYZE staged_account; "
      "ANALYZE staged_holder");
}

void BareWriter::TakePieces() {
  const std::string entries = ColumnsOf(db_, kEntries),
                    transactions = ColumnsOf(db_, kTransactions);
  for (const std::string& number :
       db_.Column("SELECT DISTINCT batch FROM staged_entry_record_view ORDER BY batch")) {
    const auto piece = [&](const std::string& columns, const std::string& of) {
      return CopyOut(db_, "SELECT " + columns + " FROM staged_" + of + " WHERE batch = " + number);
    };
    pieces_.push_back({piece(entries, kEntries), piece(transactions, kTransactions),
                       piece(kAccountColumns, "account"), piece(kHolderColumns, "holder")});
  }
  rows_ = db_.Count(
      "SELECT (SELECT count(*) FROM staged_entry_record_view) + (SELECT count(*) FROM "
      "staged_transaction_summary_view) + (SELECT count(*) FROM staged_account) + (SELECT count(*) "
      "FROM staged_holder)");
}

double BareWriter::Write(BareModels models) {
  TakeAway(models);
  const Stopwatch watch;
  for (const Piece& piece : pieces_) Write(piece, models);
  const double seconds = watch.Seconds();
  Compare(models);
  return seconds;
}

void BareWriter::TakeAway(BareModels models) {
  for (const std::string& view : ViewsOf(models)) {
    db_.Execute("TRUNCATE " + TableOf(view) + "; INSERT INTO " + TableOf(view) +
                " SELECT * FROM before_" + view);
    db_.Execute("ANALYZE " + TableOf(view));
  }
  db_.Execute("CHECKPOINT");
}

void BareWriter::Write(const Piece& piece, BareModels models) {
  db_.Execute("BEGIN");
  CopyIn(db_, "changed_account", piece.accounts);
  db_.Execute(kUpdateAccounts);
  if (models == BareModels::kAll) {
    CopyIn(db_, TableOf(kEntries), piece.entries);
    CopyIn(db_, TableOf(kTransactions), piece.transactions);
    CopyIn(db_, "changed_holder", piece.holders);
    db_.Execute(kUpdateHolders);
  }
  db_.Execute("COMMIT");
}

void BareWriter::Compare(BareModels models) {
  for (const std::string& view : ViewsOf(models)) {
    const std::string table = TableOf(view), made = "made_" + view;
    const long long different = db_.Count("SELECT (SELECT count(*) FROM (SELECT * FROM " + table +
                                          " EXCEPT ALL SELECT * FROM " + made +
                                          ") a) + (SELECT count(*) FROM (SELECT * FROM " + made +
                                          " EXCEPT ALL SELECT * FROM " + table + ") b)");
    if (different == 0) continue;
    throw std::runtime_error(
        view + ": " + std::to_string(different) +
        " rows are not those of the plugin, which wrote " +
        db_.Value("SELECT a::text FROM (SELECT * FROM " + made + " EXCEPT ALL SELECT * FROM " +
                  table + ") a ORDER BY 1 LIMIT 1") +
        " where this is " +
        db_.Value("SELECT a::text FROM (SELECT * FROM " + table + " EXCEPT ALL SELECT * FROM " +
                  made + ") a ORDER BY 1 LIMIT 1"));
  }
}

}  // namespace summa::bench
