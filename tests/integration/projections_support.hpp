// A ledger with read models beside it, and the truth about them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <summa/testkit/fake_host.hpp>
#include <vector>

#include "engine/runner.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "models/models.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::projections {

using test::Db;

// Without autovacuum: its transactions hold up the horizon, behind which the holes of a checkpoint are
// decided, and its locks make swaps wait.
inline test::PostgresServer& Server() {
  static test::PostgresServer server(
      {.settings = {{"max_prepared_transactions", "20"}, {"autovacuum", "off"}}});
  return server;
}

class ProjectionsTest : public testing::Test {
 protected:
  // In a database with the tables of a ledger; the read models are there, too, or in a database of
  // their own.
  void Connect(const std::string& url, const std::string& read_url = "") {
    url_ = url;
    read_url_ = read_url.empty() ? url : read_url;
    const bool separate = !read_url.empty();
    const host::Schemas schemas = test::SchemasWith({"projections"}, separate);
    host::ControlPlane(At(url)).Migrate(schemas.ledger);
    std::map<std::string, std::shared_ptr<host::SessionPool>> pools = {
        {"ledger", std::make_shared<host::SessionPool>(At(url))}};
    if (separate) {
      host::ControlPlane(At(read_url)).Migrate(schemas.read);
      pools["read"] = std::make_shared<host::SessionPool>(At(read_url));
    }
    sql_ = std::make_unique<host::SqlService>(pools);
    fake_ = std::make_unique<testkit::FakeHost>(sql_->unleased());
    tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
    db_ = std::make_unique<Db>(url);
    read_ = std::make_unique<Db>(read_url_);
    MakeRunner();
  }
  static host::DatabaseSettings At(const std::string& url) {
    host::DatabaseSettings settings;
    settings.url = url;
    settings.application_name = "projections-test";
    return settings;
  }
  static std::string NewName() {
    static int number = 0;
    return "projections_" + std::to_string(++number);
  }
  void MakeRunner() {
    catalog_ = std::make_unique<Catalog>();
    for (const auto& projection : built_in_)
      catalog_->Add(*projection->table(), settings_.on_error);
    for (const summa_projection* other : others_) catalog_->Add(*other, settings_.on_error);
    runner_ = std::make_unique<Runner>(fake_->host(), settings_, *catalog_);
  }
  TickResult RunOnce() {
    fake_->Advance(std::chrono::seconds(1));
    return runner_->Run(Tick(tick_->abi()));
  }
  // Until nothing is left to do. The number of stored events.
  std::int64_t RunAll() {
    std::int64_t events = 0;
    TickResult result;
    do {
      result = RunOnce();
      events += result.items;
    } while (result.backlog);
    return events;
  }

  // What is wrong in the read models, one line each; none when they agree with the ledger.
  std::vector<std::string> Differences() {
    std::vector<std::string> all;
    const auto check = [&](const std::string& what, const std::string& ledger,
                           const std::string& view) {
      const auto rows = [](Db& db, const std::string& statement) {
        return db.Column("SELECT d::text FROM (" + statement +
                         ") d ORDER BY d::text COLLATE \"C\"");
      };
      const std::vector<std::string> truth = rows(*db_, ledger), shown = rows(*read_, view);
      std::vector<std::string> missing, extra;
      std::set_difference(truth.begin(), truth.end(), shown.begin(), shown.end(),
                          std::back_inserter(missing));
      std::set_difference(shown.begin(), shown.end(), truth.begin(), truth.end(),
                          std::back_inserter(extra));
      if (missing.empty() && extra.empty()) return;
      all.push_back(what + ": " + std::to_string(missing.size()) + " missing, " +
                    std::to_string(extra.size()) + " too many; " +
                    (extra.empty() ? "nothing" : extra.front()) + " instead of " +
                    (missing.empty() ? "nothing" : missing.front()));
    };
    check("balances",
          "SELECT id, holder_id::text, holder_type::text, currency::text, balance, balance - "
          "pending_debit, pending_debit, credit_balance, debit_balance, status::text FROM "
          "account_balance",
          "SELECT id, holder_id, holder_type, currency, balance, available_balance, pending_debit, "
          "credit_balance, debit_balance, status FROM summa_read.account_balance_view");
    check("entries",
          "SELECT e.id, e.account_id, e.transaction_id, e.entry_type::text, e.amount, "
          "e.currency::text, e.balance_before, e.balance_after, t.reference::text, "
          "coalesce(t.meta_data->>'category', '') FROM entry_record e JOIN transaction_record t ON "
          "t.id = e.transaction_id WHERE e.account_id IS NOT NULL",
          "SELECT id, account_id, transaction_id, entry_type, amount, currency, balance_before, "
          "balance_after, reference, category FROM summa_read.entry_record_view");
    check("transactions",
          "SELECT id, reference::text, status::text, amount, currency::text, source_account_id, "
          "destination_account_id, source_system_account_id, destination_system_account_id, "
          "refunded_amount, posted_at FROM transaction_record",
          "SELECT id, reference, status, amount, currency, source_account_id, "
          "destination_account_id, source_system_account_id, destination_system_account_id, "
          "refunded_amount, posted_at FROM summa_read.transaction_summary_view");
    check(
        "holders",
        "SELECT a.holder_id::text, a.holder_type::text, a.currency::text, count(*), "
        "sum(a.balance)::bigint, sum(a.balance - a.pending_debit)::bigint, "
        "sum(a.pending_debit)::bigint, sum(a.credit_balance)::bigint, "
        "sum(a.debit_balance)::bigint, sum((SELECT count(DISTINCT transaction_id) FROM "
        "entry_record e WHERE e.account_id = a.id))::bigint FROM account_balance a GROUP BY 1, 2, "
        "3",
        "SELECT holder_id, holder_type, currency, accounts, balance, available_balance, held, "
        "credits, debits, transactions FROM summa_read.holder_dashboard_view");
    return all;
  }

  std::string url_, read_url_;
  Settings settings_;
  std::vector<std::unique_ptr<Projection>> built_in_ = MakeBuiltIn();
  std::vector<const summa_projection*> others_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<testkit::FakeHost> fake_;
  std::unique_ptr<testkit::FakeTick> tick_;
  std::unique_ptr<Db> db_;    // the ledger
  std::unique_ptr<Db> read_;  // the read models
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Runner> runner_;
};

}  // namespace summa::projections
