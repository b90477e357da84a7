// What the tests of the reconciliation plugin share: a ledger of its own in a real PostgreSQL and a
// host whose clock is real.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <set>
#include <summa/testkit/fake_host.hpp>

#include "host/abi/operation_service.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "ledger_verification.hpp"
#include "reconciliation.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::reconciliation {

using test::Db;

inline test::PostgresServer& Server() {
  static test::PostgresServer server([] {
    test::PostgresOptions options;
    options.settings = {{"max_prepared_transactions", "10"}};
    return options;
  }());
  return server;
}

// The folder of databases made by Summa; nullopt when it is not there.
inline std::optional<std::string> SummaDatabases() {
  const auto shared = test::ForSharedData();
  if (!shared || !std::ifstream(*shared + "/summa-db/small.sql.gz").good()) return std::nullopt;
  return *shared + "/summa-db";
}

class ReconciliationTest : public testing::Test {
 protected:
  ReconciliationTest() = default;

  void Connect(const std::string& url) {
    url_ = url;
    host::DatabaseSettings settings;
    settings.url = url_;
    settings.application_name = "reconciliation-test";
    host::ControlPlane(settings).Migrate(test::StepsWith({"reconciliation"}));
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
    fake_ = std::make_unique<testkit::FakeHost>(sql_->unleased());
    fake_->SetOperations(operations_.table());
    tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
    db_ = std::make_unique<Db>(url_);
  }
  static std::string NewName() {
    static int number = 0;
    return "reconciliation_" + std::to_string(++number);
  }
  void UseFixture() { Connect(test::InstallLedger(Server(), NewName())); }
  // A ledger with accounts, transfers, holds and refunds; made once and copied.
  void UseTraffic() {
    static const std::string source = [] {
      const std::string name = "traffic";
      test::TrafficOptions options;
      options.accounts = 40;
      test::TrafficGenerator traffic(test::InstallLedger(Server(), name), options);
      traffic.Start();
      test::WaitUntil([&] { return traffic.Committed() >= 800; }, test::kTimeout, "traffic");
      traffic.Stop();
      EXPECT_EQ(traffic.Failed(), 0) << traffic.LastError();
      return name;
    }();
    const std::string name = NewName();
    Server().CreateDatabase(name, source);
    Connect(Server().Url(name));
  }
  // Turns the event store into the plan's: its names, and bigint versions.
  void UsePlanLayout() {
    db_->Execute(
        "ALTER TABLE ledger_event RENAME COLUMN sequence_number TO position; "
        "ALTER TABLE ledger_event RENAME COLUMN aggregate_version TO sequence_number; "
        "ALTER TABLE ledger_event RENAME COLUMN hash TO event_hash; "
        "ALTER TABLE ledger_event RENAME COLUMN prev_hash TO previous_hash; "
        "ALTER TABLE ledger_event ALTER COLUMN sequence_number TYPE bigint");
    layout_ = ledger::DescribeEvents(ledger::Layout::kPlan);
  }
  // One statement that adds the next event of an aggregate, in either layout; at `position` when it
  // is given. Its data holds `n`.
  std::string AppendStatement(const std::string& aggregate, int n = 1,
                              const std::string& position = "") const {
    return "INSERT INTO ledger_event (" + (position.empty() ? "" : layout_.position + ", ") +
           "aggregate_type, aggregate_id, " + layout_.version +
           ", event_type, event_data, correlation_id, " + layout_.hash + ", " +
           layout_.previous_hash + ") SELECT " + (position.empty() ? "" : position + ", ") +
           "'account', '" + aggregate +
           "', coalesce(max(l.version), 0) + 1, 'Appended', d.data, gen_random_uuid(), "
           "fixture.hash(l.hash, d.data), l.hash "
           "FROM (SELECT '{\"n\": " +
           std::to_string(n) + "}'::jsonb AS data) d LEFT JOIN (SELECT " + layout_.hash +
           " AS hash, " + layout_.version +
           " AS version FROM ledger_event WHERE aggregate_type = 'account' AND "
           "aggregate_id = '" +
           aggregate + "' ORDER BY " + layout_.version +
           " DESC LIMIT 1) l ON true GROUP BY d.data, l.hash";
  }
  void Append(const std::string& aggregate, int count = 1) {
    for (int i = 0; i < count; ++i) db_->Execute(AppendStatement(aggregate, i));
  }
  static std::string AggregateNumber(int n) {
    const std::string digits = std::to_string(n);
    return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
  }
  void UseSummas(const std::string& tampering = "") {
    const std::string name = NewName();
    Server().CreateDatabase(name);
    Server().RunSqlFile(name, *SummaDatabases() + "/small.sql.gz", /*gzipped=*/true);
    Connect(Server().Url(name));
    db_->Execute("SET search_path = public");
    if (!tampering.empty()) Server().RunSqlFile(name, *SummaDatabases() + "/" + tampering);
  }
  // Changes what no application could: without triggers and foreign keys.
  void Tamper(const std::string& statement) {
    db_->Execute("SET session_replication_role = replica; " + statement +
                 "; SET session_replication_role = origin");
  }

  Reconciled RunReconcile() {
    const Tick tick(tick_->abi());
    Work work(fake_->host(), tick, settings_.max_rate);
    return Reconcile(sql_->unleased(), work, settings_);
  }
  // Steps of Summa's that found something, and of which account or transaction.
  std::multiset<std::string> Found(const RunState& run) {
    std::multiset<std::string> found;
    ForEachPart(run, [&](const char*, const Findings& findings) {
      for (const Discrepancy& finding : findings.kept()) {
        found.insert(finding.step + " " +
                     (finding.account_id.empty() ? finding.transaction_id : finding.account_id));
      }
      EXPECT_EQ(findings.count(), static_cast<std::int64_t>(findings.kept().size()));
    });
    return found;
  }

  template <typename Function>
  auto WithWork(const Function& function) {
    const Tick tick(tick_->abi());
    Work work(fake_->host(), tick, settings_.max_rate);
    return function(work);
  }
  // Kinds that were found, each with what it names.
  static std::multiset<std::string> Kinds(const Findings& findings) {
    std::multiset<std::string> kinds;
    for (const Discrepancy& finding : findings.kept()) {
      std::string text = finding.kind;
      if (finding.position) text += " at " + std::to_string(*finding.position);
      kinds.insert(std::move(text));
    }
    return kinds;
  }
  VerificationResult VerifyChains(bool from_snapshots = false) {
    return WithWork([&](Work& work) {
      VerificationScope scope;
      scope.from_snapshots = from_snapshots;
      return VerifyLedger(sql_->unleased(), work, settings_, scope);
    });
  }

  // As the manifest of the plugin has it.
  host::OperationService operations_{"reconciliation",
                                     {{"reconciliation", "", "daily-reconciliation", 1, 0}},
                                     "test",
                                     "test",
                                     host::SystemClock()};
  std::string url_;
  ledger::EventTable layout_;
  Settings settings_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<testkit::FakeHost> fake_;
  std::unique_ptr<testkit::FakeTick> tick_;
  std::unique_ptr<Db> db_;
};

}  // namespace summa::reconciliation
