// A whole run: the row that Summa reads, going on after a crash, what cannot be checked, and real
// data of Summa's with what Summa says of it.
#include <simdjson.h>

#include "tests/integration/reconciliation_support.hpp"

namespace summa::reconciliation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DailyTest : public ReconciliationTest {
 protected:
  std::string Row(const std::string& column) {
    return db_->Value("SELECT (" + column +
                      ")::text FROM reconciliation_result ORDER BY run_date DESC");
  }
  std::int64_t Runs(const std::string& where = "true") {
    return db_->Count("SELECT count(*) FROM summa_host.reconciliation_run WHERE " + where);
  }
};

TEST_F(DailyTest, WritesARowThatSummaReads) {
  UseTraffic();
  const Reconciled result = RunReconcile();
  EXPECT_EQ(Row("id"), result.finished.result_id);
  EXPECT_EQ(Row("status"), "healthy");
  EXPECT_EQ(Row("total_mismatches"), "0");
  EXPECT_EQ(Row("mismatches"), "[]");
  EXPECT_EQ(Row("run_date ~ '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$'"), "true");
  const std::string accounts = db_->Value("SELECT count(*) FROM account_balance");
  EXPECT_EQ(Row("step0_result = '{\"checked\": true, \"incremental\": false, "
                "\"imbalancedTransactions\": 0}'"),
            "true");
  EXPECT_EQ(Row("step0b_result = '{\"checked\": true, \"incremental\": false, "
                "\"duplicatesFound\": 0}'"),
            "true");
  EXPECT_EQ(Row("step0c_result = '{\"checked\": true, \"incremental\": false, "
                "\"violationsFound\": 0}'"),
            "true");
  EXPECT_EQ(Row("step1_result = '{\"checked\": true, \"accountsChecked\": " + accounts +
                ", \"mismatches\": 0}'"),
            "true");
  EXPECT_EQ(Row("step2_result = '{\"checked\": true, \"systemAccountsChecked\": 1, "
                "\"mismatches\": 0}'"),
            "true");
  EXPECT_EQ(Row("step3_result = '{\"checked\": true, \"blocksVerified\": 0, \"blocksValid\": 0, "
                "\"blocksFailed\": 0, \"failures\": []}'"),
            "true");
  EXPECT_EQ(
      db_->Value("SELECT last_mismatches::text || ' ' || (last_run_date = current_date)::text "
                 "FROM reconciliation_watermark WHERE id = 1"),
      "0 true");
}

TEST_F(DailyTest, KeepsEveryRunAndSortsThemByDate) {
  UseTraffic();
  const std::string first = RunReconcile().finished.run_date;
  const std::string second = RunReconcile().finished.run_date;
  EXPECT_LT(first, second);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reconciliation_result"), 2);
  EXPECT_EQ(Runs("finished_at IS NOT NULL AND result_id IS NOT NULL"), 2);
}

TEST_F(DailyTest, KeepsWhatItFound) {
  UseTraffic();
  Tamper("UPDATE account_balance SET balance = balance + 1");
  const Reconciled result = RunReconcile();
  const std::string accounts = db_->Value("SELECT count(*) FROM account_balance");
  EXPECT_EQ(Row("status"), "mismatches_found");
  EXPECT_EQ(Row("total_mismatches"), accounts);
  EXPECT_EQ(Row("jsonb_array_length(mismatches)"), accounts);
  EXPECT_EQ(db_->Value("SELECT count(*) FROM summa_host.finding"), accounts);
  EXPECT_EQ(Row("mismatches->0->>'step'"), "step1_user_account_balance");
  EXPECT_EQ(Row("((mismatches->0->'detail'->>'actualBalance')::bigint - "
                "(mismatches->0->'detail'->>'expectedBalance')::bigint)"),
            "1");
}

TEST_F(DailyTest, KeepsAnEventThatWasChanged) {
  UseTraffic();
  Tamper("UPDATE ledger_event SET event_data = '{\"changed\": 1}' WHERE sequence_number = 100");
  const Reconciled result = RunReconcile();
  EXPECT_EQ(result.run.Status(), "mismatches_found");
  EXPECT_EQ(Row("mismatches->0->>'step'"), "step3_event_chain");
  EXPECT_EQ(Row("mismatches->0->'detail'->>'position'"), "100");
  EXPECT_EQ(db_->Value("SELECT finding->>'kind' FROM summa_host.finding"), "event_hash_mismatch");
}

// Half of the run was done by a host that died.
TEST_F(DailyTest, GoesOnWithWhatADeadHostLeft) {
  UseTraffic();
  Tamper("UPDATE account_balance SET balance = balance + 1");
  std::int64_t found = 0;
  {
    Session session(sql_->unleased());
    RunStore store(session);
    RunState run = store.Begin();
    WithWork([&](Work& work) {
      CheckBooks(sql_->unleased(), work, run,
                 [&](std::optional<std::int64_t> until) { store.Save(run, until); });
    });
    found = run.Mismatches();
  }
  EXPECT_GT(found, 0);
  Tamper("UPDATE account_balance SET balance = balance - 1");  // would not be found any more
  const Reconciled result = RunReconcile();
  EXPECT_EQ(result.run.Mismatches(), found) << "the books were looked at again";
  EXPECT_EQ(Runs(), 1);
  EXPECT_EQ(Row("jsonb_array_length(mismatches)"), std::to_string(found));
  EXPECT_EQ(RunReconcile().run.Status(), "healthy");
}

TEST_F(DailyTest, DoesNotGoOnWithARunOfYesterday) {
  UseTraffic();
  {
    Session session(sql_->unleased());
    RunStore store(session);
    RunState run = store.Begin();
    run.books_done = true;
    store.Save(run);
  }
  db_->Execute("UPDATE summa_host.reconciliation_run SET started_at = now() - interval '25 hours'");
  const Reconciled result = RunReconcile();
  EXPECT_GT(result.run.books.entries, 0);
  EXPECT_EQ(Runs("books_error = 'abandoned' AND result_id IS NULL"), 1);
}

TEST_F(DailyTest, ARunIsAnOperationOfTheJournal) {
  UseTraffic();
  const Reconciled result = RunReconcile();
  EXPECT_EQ(db_->Value("SELECT plugin || ' ' || kind || ' ' || state || ' ' || phase FROM "
                       "summa_host.operation"),
            "reconciliation reconciliation done result");
  EXPECT_EQ(db_->Count("SELECT done FROM summa_host.operation"),
            result.run.books.entries + result.run.chains.events);
}

TEST_F(DailyTest, RestsWhilePausedAndGoesOnAfterwards) {
  UseTraffic();
  tick_->Stop();
  EXPECT_THROW(RunReconcile(), Error);
  tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
  db_->Execute("UPDATE summa_host.operation SET state = 'paused'");
  try {
    RunReconcile();
    ADD_FAILURE() << "it is paused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0389");
  }
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reconciliation_result"), 0);
  db_->Execute("UPDATE summa_host.operation SET state = 'running'");
  EXPECT_EQ(RunReconcile().run.Status(), "healthy");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.operation"), 1);
  EXPECT_EQ(Runs(), 1);
}

TEST_F(DailyTest, BeginsAnewAfterAnAbort) {
  UseTraffic();
  tick_->Stop();
  EXPECT_THROW(RunReconcile(), Error);
  tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
  db_->Execute("UPDATE summa_host.operation SET state = 'aborted'");
  EXPECT_EQ(RunReconcile().run.Status(), "healthy");
  EXPECT_EQ(Runs("books_error = 'abandoned' AND result_id IS NULL"), 1);
  EXPECT_EQ(Runs("result_id IS NOT NULL"), 1);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.operation WHERE state = 'aborted' AND "
                       "finished_at IS NOT NULL"),
            1);
}

TEST_F(DailyTest, IsIncompleteWhereARightIsMissing) {
  UseTraffic();
  db_->Execute(
      "CREATE ROLE limited LOGIN; GRANT USAGE ON SCHEMA public, summa_host TO limited; "
      "GRANT ALL ON ALL TABLES IN SCHEMA public, summa_host TO limited; "
      "GRANT ALL ON ALL SEQUENCES IN SCHEMA public, summa_host TO limited; "
      "REVOKE ALL ON hot_account_entry FROM limited");
  host::DatabaseSettings settings;
  settings.url = url_ + (url_.find('?') == std::string::npos ? "?" : "&") + "user=limited";
  host::SqlService limited({{"ledger", std::make_shared<host::SessionPool>(settings)}});
  const Reconciled result =
      WithWork([&](Work& work) { return Reconcile(limited.unleased(), work, settings_); });
  EXPECT_EQ(result.run.Status(), "incomplete");
  EXPECT_EQ(Row("status"), "incomplete");
  EXPECT_EQ(Row("step2_result->>'checked'"), "false");
  EXPECT_THAT(Row("step2_result->>'error'"), testing::HasSubstr("hot_account_entry"));
  EXPECT_EQ(Row("step3_result->>'checked'"), "true") << "what can be checked is checked";
  EXPECT_EQ(
      db_->Value("SELECT coalesce(last_run_date::text, 'none') FROM reconciliation_watermark"),
      "none");
  EXPECT_EQ(fake_->CountCode("SH-0703"), 1u);
}

TEST_F(DailyTest, StopsWhenToldAndKeepsNothingHalf) {
  UseTraffic();
  tick_->Stop();
  try {
    RunReconcile();
    ADD_FAILURE() << "did not stop";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_CANCELLED) << error.code();
  }
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reconciliation_result"), 0);
  EXPECT_EQ(Runs("NOT books_done AND finished_at IS NULL"), 1);
}

// Summa looks at entries above its mark only: what can still become visible must be above it.
TEST_F(DailyTest, LeavesTheMarkBelowWhatIsStillOpen) {
  UseTraffic();
  Db writer(url_);
  const std::string account =
      db_->Value("SELECT id FROM account_balance WHERE status = 'active' LIMIT 1");
  writer.Execute("BEGIN; SELECT fixture.credit('" + account + "', 1)");
  db_->Execute(
      "SELECT fixture.credit(id, 1) FROM account_balance WHERE status = 'active' AND id <> '" +
      account + "' LIMIT 1");
  RunReconcile();
  writer.Execute("COMMIT");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM entry_record e, reconciliation_watermark w WHERE "
                       "e.transaction_id IN (SELECT id FROM transaction_record ORDER BY created_at "
                       "DESC LIMIT 2) AND e.created_at <= w.last_entry_created_at"),
            0);
}

constexpr const char* kMark =
    "SELECT coalesce(last_entry_created_at::text, 'none') FROM reconciliation_watermark";
constexpr const char* kUnfinishedCredit =
    "BEGIN; SELECT fixture.credit(id, 1) FROM account_balance WHERE status = 'active' LIMIT 1";

// Who began when is hidden from a role without pg_read_all_stats.
TEST_F(DailyTest, LeavesTheMarkWhereItIsWhileSomebodyMayBeOlder) {
  UseTraffic();
  db_->Execute(
      "CREATE ROLE blind LOGIN; GRANT USAGE ON SCHEMA public, summa_host TO blind; GRANT ALL ON "
      "ALL TABLES IN SCHEMA public, summa_host TO blind; GRANT ALL ON ALL SEQUENCES IN SCHEMA "
      "public, summa_host TO blind");
  host::DatabaseSettings settings;
  settings.url = url_ + (url_.find('?') == std::string::npos ? "?" : "&") + "user=blind";
  host::SqlService blind({{"ledger", std::make_shared<host::SessionPool>(settings)}});
  const auto mark_after = [&] {
    WithWork([&](Work& work) { return Reconcile(blind.unleased(), work, settings_); });
    return db_->Value(kMark);
  };
  Db writer(url_);
  writer.Execute(kUnfinishedCredit);
  EXPECT_EQ(mark_after(), "none");
  writer.Execute("COMMIT");
  const std::string mark = mark_after();
  EXPECT_NE(mark, "none");
  writer.Execute("BEGIN; SELECT 1");
  EXPECT_EQ(mark_after(), mark);
  writer.Execute("COMMIT; DROP OWNED BY blind");
}

// When it was prepared is known, and not when it began.
TEST_F(DailyTest, LeavesTheMarkWhereItIsWhileEntriesArePrepared) {
  UseTraffic();
  Db writer(url_);
  writer.Execute(kUnfinishedCredit);
  writer.Execute("PREPARE TRANSACTION 'waiting'");
  RunReconcile();
  EXPECT_EQ(db_->Value(kMark), "none");
  writer.Execute("COMMIT PREPARED 'waiting'");
  RunReconcile();
  EXPECT_NE(db_->Value(kMark), "none");
}

// What Summa's own code said of the same data.
class SummaTest : public DailyTest {
 protected:
  SummaTest() {
    if (!SummaDatabases()) return;
    present_ = true;
  }
  void SetUp() override {
    if (!present_) GTEST_SKIP() << "skipped: no database made by Summa in ../shared";
  }
  // The command's result, without what only we say.
  std::string Json(bool full = true) {
    const VerificationResult chains = VerifyChains(!full);
    RunState run;
    run.chains = chains.Report();
    run.chains_done = true;
    WithWork([&](Work& work) {
      CheckBooks(sql_->unleased(), work, run, [](std::optional<std::int64_t>) {});
    });
    chains_ = chains;
    run_ = run;
    JsonWriter json;
    WriteResult(json, run);
    return json.Take();
  }
  // Summa's expectation without its false alarms: the entries of step 0c, which it orders by the
  // start of transactions. As jsonb text.
  std::string Expected(const std::string& name) {
    const simdjson::padded_string text =
        simdjson::padded_string::load(*SummaDatabases() + "/" + name + ".expected.json");
    return db_->Value(R"sql(
      WITH d AS (SELECT $1::jsonb->'dailyReconciliation' AS d), m AS (
        SELECT coalesce(jsonb_agg(m ORDER BY n), '[]') AS kept FROM d, jsonb_array_elements(d->'mismatches')
          WITH ORDINALITY AS x(m, n) WHERE m->>'step' NOT LIKE 'step0c%')
      SELECT d || jsonb_build_object('mismatches', kept, 'total_mismatches', jsonb_array_length(kept),
        'status', CASE jsonb_array_length(kept) WHEN 0 THEN 'healthy' ELSE 'mismatches_found' END,
        'step0c_result', (d->'step0c_result') || '{"violationsFound": 0}')
      FROM d, m)sql",
                      {std::string(std::string_view(text))});
  }
  std::string Normal(const std::string& json) { return db_->Value("SELECT $1::jsonb", {json}); }

  bool present_ = false;
  VerificationResult chains_;
  RunState run_;
};

TEST_F(SummaTest, AgreesOfWhatIsInOrder) {
  UseSummas();
  EXPECT_EQ(Normal(Json()), Expected("small"));
  EXPECT_EQ(chains_.chains.aggregates, 1656);
  EXPECT_EQ(chains_.chains.events_in_valid_prefixes, 2042);
  EXPECT_THAT(chains_.chains.broken, IsEmpty());
  EXPECT_THAT(Kinds(chains_.findings), IsEmpty());
}

TEST_F(SummaTest, AgreesOfABalanceThatWasRaised) {
  UseSummas("tamper-balance.sql");
  EXPECT_EQ(Normal(Json()), Expected("tamper-balance"));
  EXPECT_THAT(chains_.chains.broken, IsEmpty());
}

TEST_F(SummaTest, AgreesOfAnEntryThatWasChangedAndNamesIt) {
  UseSummas("tamper-entry.sql");
  EXPECT_EQ(Normal(Json()), Expected("tamper-entry"));
  for (const Discrepancy& finding : run_.books.accounts.kept()) {
    EXPECT_THAT(finding.candidates, ElementsAre("430609e8-2c80-45ee-acc6-d5e781d65f41"));
  }
}

// Summa's blocks and reconciliation do not see it; its chain does.
TEST_F(SummaTest, NamesTheEventThatWasChanged) {
  UseSummas("tamper-event-data.sql");
  Json();
  ASSERT_EQ(chains_.chains.broken.size(), 1u);
  EXPECT_EQ(chains_.chains.broken[0].aggregate_type, "hold");
  EXPECT_EQ(chains_.chains.broken[0].aggregate_id, "b8e28958-fbaf-47b2-84dc-c4bdcb26f8f1");
  EXPECT_EQ(chains_.chains.broken[0].broken_at_version, 1);
  EXPECT_EQ(chains_.chains.events_in_valid_prefixes, 2040);
  ASSERT_GE(chains_.findings.count(), 1);
  EXPECT_EQ(chains_.findings.kept()[0].kind, "event_hash_mismatch");
  EXPECT_EQ(chains_.findings.kept()[0].event_id, "b4ae9880-d60a-4610-92d0-578fce529309");
  EXPECT_EQ(chains_.blocks_valid, 4);
  EXPECT_EQ(run_.Status(), "mismatches_found") << "step 3 looks at the events, too";
  EXPECT_EQ(run_.chains.events_found.kept()[0].step, "step3_event_chain");
}

TEST_F(SummaTest, AgreesInThePlansLayout) {
  UseSummas();
  UsePlanLayout();
  EXPECT_EQ(Normal(Json()), Expected("small"));
  EXPECT_EQ(chains_.chains.events_in_valid_prefixes, 2042);
}

}  // namespace
}  // namespace summa::reconciliation
