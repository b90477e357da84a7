// A small ledger of either layout, sealed in blocks and snapshots, to be tampered with.
#pragma once

#include <fstream>
#include <set>
#include <sstream>

#include "tests/fixture/ledger.hpp"
#include "tests/ledger/ledger_support.hpp"

namespace summa::ledger {

inline std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// :position, :version ... by the columns of the layout.
inline std::string ForLayout(Layout layout, std::string sql) {
  const EventTable table = DescribeEvents(layout);
  const bool plan = layout == Layout::kPlan;
  sql = Replaced(sql, ":hash_function", plan ? "plan.hash" : "fixture.hash");
  sql = Replaced(sql, ":position", table.position);
  sql = Replaced(sql, ":version", table.version);
  sql = Replaced(sql, ":previous", table.previous_hash);
  return Replaced(sql, ":hash", table.hash);
}

inline std::string FileText(const std::string& path) {
  std::ifstream file(test::SourceDir() + "/" + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// An empty ledger of the layout with the functions of its fixture and of tamper.sql.
inline void MakeLedger(Layout layout, const std::string& name) {
  if (layout == Layout::kDeployed) {
    test::InstallLedger(Server(), name);
  } else {
    Server().CreateDatabase(name);
    host::DatabaseSettings settings;
    settings.url = Server().Url(name);
    host::ControlPlane(settings).CreatePlanLedger();
    Server().RunSqlFile(name, test::SourceDir() + "/tests/fixture/plan.sql");
  }
  Server().RunSql(name, ForLayout(layout, FileText("tests/ledger/tamper.sql")));
}

// Account 1 has the longest chain; every kind of operation has happened; three blocks, the newest
// events in none; a snapshot of each aggregate.
inline void FillDeployed(test::Db& db) {
  for (int account = 1; account <= 6; ++account) {
    db.Query("SELECT fixture.ensure_account($1::int, 10000)", {std::to_string(account)});
  }
  const auto each = [&db](std::initializer_list<const char*> statements) {
    for (const char* statement : statements) db.Query(statement);  // each in its own transaction
  };
  each({"SELECT fixture.freeze(fixture.account_id(1))",
        "SELECT fixture.unfreeze(fixture.account_id(1))",
        "SELECT tamper.make_block()",
        "SELECT fixture.freeze(fixture.account_id(1))",
        "SELECT fixture.unfreeze(fixture.account_id(1))",
        "SELECT fixture.freeze(fixture.account_id(1))",
        "SELECT fixture.credit(fixture.account_id(2), 500, 'credit-1')",
        "SELECT fixture.debit(fixture.account_id(2), 300, 'debit-1')",
        "SELECT fixture.transfer(fixture.account_id(2), fixture.account_id(3), 200, 'transfer-1')",
        "SELECT fixture.refund(id, 50) FROM transaction_record WHERE reference = 'transfer-1'",
        "SELECT fixture.refund(id, 60) FROM transaction_record WHERE reference = 'transfer-1'",
        "SELECT tamper.make_block()",
        "SELECT fixture.hold(fixture.account_id(3), fixture.account_id(4), 100, 'hold-1')",
        "SELECT fixture.hold_commit(id, 80) FROM transaction_record WHERE reference = 'hold-1'",
        "SELECT fixture.hold(fixture.account_id(3), fixture.account_id(4), 70, 'hold-2')",
        "SELECT fixture.hold_void(id) FROM transaction_record WHERE reference = 'hold-2'",
        "SELECT fixture.hold(fixture.account_id(3), fixture.account_id(4), 60, 'hold-3')",
        "SELECT fixture.close(fixture.account_id(5), fixture.account_id(6))",
        "SELECT fixture.credit(fixture.account_id(4), 11, 'credit-2')",
        "SELECT tamper.make_block()",
        "SELECT tamper.take_snapshots()",
        "SELECT fixture.credit(fixture.account_id(6), 12, 'credit-3')"});
}

inline void FillPlan(test::Db& db) {
  const auto each = [&db](std::initializer_list<const char*> statements) {
    for (const char* statement : statements) db.Query(statement);
  };
  each({"SELECT plan.open_account(1)",
        "SELECT plan.open_account(2)",
        "SELECT plan.open_account(3)",
        "SELECT plan.open_account(4)",
        "SELECT plan.transact(NULL, plan.account_id(1), 5000, 'opening-1', 'credit')",
        "SELECT plan.transact(NULL, plan.account_id(2), 5000, 'opening-2', 'credit')",
        "SELECT tamper.make_block()",
        "SELECT plan.transact(plan.account_id(1), plan.account_id(2), 200, 'transfer-1', "
        "'transfer')",
        "SELECT plan.transact(plan.account_id(1), NULL, 300, 'debit-1', 'debit')",
        "SELECT plan.place_hold(plan.account_id(1), 100, 'hold-1')",
        "SELECT plan.capture_hold(id, 80) FROM transaction_record WHERE reference = 'hold-1'",
        "SELECT plan.place_hold(plan.account_id(2), 70, 'hold-2')",
        "SELECT plan.release_hold(id) FROM transaction_record WHERE reference = 'hold-2'",
        "SELECT tamper.make_block()",
        "SELECT plan.place_hold(plan.account_id(2), 60, 'hold-3')",
        "SELECT plan.freeze(plan.account_id(3))",
        "SELECT plan.transact(NULL, plan.account_id(1), 11, 'credit-2', 'credit')",
        "SELECT tamper.make_block()",
        "SELECT tamper.take_snapshots()",
        "SELECT plan.transact(NULL, plan.account_id(2), 12, 'credit-3', 'credit')"});
}

// A fresh copy of the filled ledger; the first of each layout makes the template.
inline std::unique_ptr<LedgerDatabase> CopyOfLedger(Layout layout) {
  const std::string origin = layout == Layout::kPlan ? "origin_plan" : "origin_deployed";
  static std::set<std::string> made;
  if (made.insert(origin).second) {
    MakeLedger(layout, origin);
    test::Db db(Server().Url(origin));
    if (layout == Layout::kPlan) {
      FillPlan(db);
    } else {
      FillDeployed(db);
    }
  }
  static int number = 0;
  const std::string name = "copy_" + std::to_string(++number);
  Server().CreateDatabase(name, origin);
  return std::make_unique<LedgerDatabase>(name);
}

}  // namespace summa::ledger
