// Random orders of commits against an oracle. One thread drives several connections, so that a seed
// is always the same story: transactions that stay open, roll back wholly or in part, are prepared;
// runs of the projections between any two statements; hosts that die, lose a batch, or are taken
// over and wake up late. At every moment of rest, the read models are what the ledger says that is
// committed, and a log of all events has each of them once, in the order of its account.
//
// The suite takes dozens of seeds; SUMMA_SOAK=1 takes thousands, from SUMMA_SOAK_SEED on, for
// SUMMA_SOAK_MINUTES at the most.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <tuple>

#include "tests/integration/projections_support.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::projections {
namespace {

using ::testing::IsEmpty;

constexpr int kWriters = 5;
constexpr int kAccounts = 3;  // of each writer, who alone uses them: nobody waits for a lock
constexpr int kSteps = 120;
constexpr int kSeeds = 8;  // of each kind of database
constexpr int kSoakSeeds = 1'000;
constexpr int kSeedsOfDatabase = 20;  // comparing reads everything
constexpr int kBatchSizes[] = {1, 2, 3, 7, 50, 2000};

int Number(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

// Writes down what it is given. Fails when it is told to, as a server does that goes away.
class EventLog final : public Projection {
 public:
  EventLog()
      : Projection({.id = "event-log",
                    .tables = {{"event_log",
                                "number bigserial, position bigint NOT NULL, ordinal bigint NOT "
                                "NULL, key uuid NOT NULL, PRIMARY KEY (number)"}}}) {}
  void Apply(const ProjectionBatch& batch) const override {
    std::vector<std::int64_t> positions, ordinals;
    std::vector<Uuid> keys;
    for (const summa_projection_event& event : batch.events()) {
      positions.push_back(event.position);
      ordinals.push_back(event.ordinal);
      const bool of_account = (event.flags & SUMMA_EVENT_HAS_ACCOUNT) != 0;
      keys.push_back(FromAbi(of_account ? event.account_id : event.aggregate_id));
    }
    batch.Exec("INSERT INTO " + batch.Table("event_log") +
                   " (position, ordinal, key) SELECT * FROM unnest($1::bigint[], $2::bigint[], "
                   "$3::uuid[])",
               {IntegerArray(positions), IntegerArray(ordinals), UuidArray(keys)});
    if (fails) throw Error(SUMMA_E_UNAVAILABLE, "SH-0401", "told to fail");
  }
  bool fails = false;
};

// One connection, and the transaction that is open in it.
struct Writer {
  std::unique_ptr<Db> db;
  int first_account = 0;
  enum { kIdle, kOpen, kPrepared } state = kIdle;
  std::string gid;
};

class Orders : public ProjectionsTest,
               public testing::WithParamInterface<std::tuple<ledger::Layout, bool>> {
 protected:
  bool plan() const { return std::get<0>(GetParam()) == ledger::Layout::kPlan; }
  bool separate() const { return std::get<1>(GetParam()); }

  void SetUp() override {
    if (const auto& log = built_in_.emplace_back(std::make_unique<EventLog>())) {
      log_ = static_cast<EventLog*>(log.get());
    }
  }

  // A new ledger, as a copy of one that was made once.
  void NewDatabase() {
    name_ = "orders_" + NewName();
    db_.reset();
    read_.reset();
    std::string url;
    if (plan()) {
      static const std::string copied = MakePlanLedger();
      url = Server().CreateDatabase(name_, copied);
    } else {
      url = test::InstallLedger(Server(), name_);
    }
    Connect(url, separate() ? Server().CreateDatabase(name_ + "_read") : "");
  }
  static std::string MakePlanLedger() {
    const std::string name = "orders_plan_to_copy";
    host::ControlPlane(At(Server().CreateDatabase(name))).CreatePlanLedger();
    Server().RunSqlFile(name, test::SourceDir() + "/tests/fixture/plan.sql");
    return name;
  }

  // The whole story of a seed.
  void Tell(int seed) {
    random_.seed(static_cast<unsigned>(seed));
    OpenWriters(seed);
    Restart();
    for (int step = 0; step < kSteps && !HasFailure(); ++step) Step();
    for (Writer& writer : writers_) {
      while (writer.state != Writer::kIdle) End(writer);
    }
    Rest();
    const auto no_holes = [&] {
      RunOnce();
      return read_->Count(
                 "SELECT count(*) FROM summa_read.projection_checkpoint WHERE holes <> ''") == 0;
    };
    test::WaitUntil(no_holes, test::kTimeout, "numbers that nobody can own any more");
    Rest();
    writers_.clear();
  }

 private:
  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  void OpenWriters(int seed) {
    for (int i = 0; i < kWriters; ++i) {
      Writer& writer = writers_.emplace_back();
      writer.db = std::make_unique<Db>(url_);
      writer.first_account = ((seed % kSeedsOfDatabase) * kWriters + i) * kAccounts + 1;
      for (int account = 0; account < kAccounts; ++account) {
        const std::string number = std::to_string(writer.first_account + account);
        if (plan()) {
          writer.db->Execute("SELECT plan.open_account(" + number + ")");
          continue;
        }
        writer.db->Execute("SELECT fixture.create_account('holder_" + number +
                           "', fixture.account_id(" + number + "))");
        writer.db->Execute("SELECT fixture.credit(fixture.account_id(" + number + "), 100000)");
      }
    }
  }

  void Step() {
    Writer& writer = writers_[static_cast<std::size_t>(Random(kWriters))];
    switch (Random(12)) {
      case 0:
      case 1:
      case 2:
        return End(writer);
      case 3:
      case 4:
        return RunNow();
      case 5:
        return Disturb();
      case 6:
        return Random(3) == 0 ? Rest() : RunNow();
      default:
        return Go(writer);
    }
  }

  // One more operation in the transaction of the writer.
  void Go(Writer& writer) {
    if (writer.state == Writer::kPrepared) return End(writer);
    if (writer.state == Writer::kIdle) writer.db->Execute("BEGIN");
    writer.state = Writer::kOpen;
    const bool taken_back = Random(8) == 0;
    if (taken_back) writer.db->Execute("SAVEPOINT s");
    const std::string operation = plan() ? OfPlan(writer) : OfDeployed(writer);
    writer.db->Execute("SELECT " + operation);
    if (taken_back) writer.db->Execute("ROLLBACK TO s");
  }

  void End(Writer& writer) {
    switch (writer.state) {
      case Writer::kIdle:
        return;
      case Writer::kPrepared:
        writer.db->Execute((Random(4) == 0 ? "ROLLBACK PREPARED " : "COMMIT PREPARED ") +
                           writer.gid);
        break;
      case Writer::kOpen:
        if (Random(6) == 0) {
          writer.gid = "'" + name_ + "_" + std::to_string(++numbers_) + "'";
          writer.db->Execute("PREPARE TRANSACTION " + writer.gid);
          writer.state = Writer::kPrepared;
          return;
        }
        writer.db->Execute(Random(5) == 0 ? "ROLLBACK" : "COMMIT");
    }
    writer.state = Writer::kIdle;
  }

  std::string Account(const Writer& writer) {
    return (plan() ? "plan.account_id(" : "fixture.account_id(") +
           std::to_string(writer.first_account + Random(kAccounts)) + ")";
  }
  // "'...'::uuid" of one of the writer's transactions; empty: there is none.
  static std::string One(const Writer& writer, bool plan, const std::string& condition) {
    std::string accounts;
    for (int i = 0; i < kAccounts; ++i) {
      accounts += (i == 0 ? "" : ", ") + std::string(plan ? "plan" : "fixture") + ".account_id(" +
                  std::to_string(writer.first_account + i) + ")";
    }
    const std::string id = writer.db->Value(
        "SELECT coalesce((SELECT id::text FROM transaction_record WHERE "
        "coalesce(source_account_id, "
        "destination_account_id) IN (" +
        accounts + ") AND " + condition +
        " ORDER BY created_at DESC, reference DESC LIMIT 1), '')");
    return id.empty() ? id : "'" + id + "'::uuid";
  }
  std::string Reference() { return "'reference_" + std::to_string(++numbers_) + "'"; }
  std::string Amount() { return std::to_string(1 + Random(50)); }

  std::string OfDeployed(Writer& writer) {
    const std::string hold = One(writer, false, "is_hold AND status = 'inflight'");
    const std::string posted = One(writer, false,
                                   "NOT is_reversal AND NOT is_hold AND status = "
                                   "'posted' AND amount < 100");
    const std::string account = Account(writer), other = Account(writer);
    switch (Random(9)) {
      case 0:
        return "fixture.debit(" + account + ", " + Amount() + ", " + Reference() + ")";
      case 1:
      case 2:
        if (account == other) break;
        return "fixture.transfer(" + account + ", " + other + ", " + Amount() + ", " + Reference() +
               ")";
      case 3:
        return "fixture.hold(" + account + ", " + (Random(2) == 0 ? "NULL" : other) + ", 40, " +
               Reference() + ")";
      case 4:
        if (hold.empty()) break;
        return "fixture.hold_commit(" + hold + ", " + std::to_string(1 + Random(40)) + ")";
      case 5:
        if (hold.empty()) break;
        return "fixture.hold_" + std::string(Random(2) == 0 ? "void" : "expire") + "(" + hold + ")";
      case 6:
        if (posted.empty()) break;
        return "fixture.refund(" + posted + ")";
      case 7:
        return "fixture.freeze(" + account + "), fixture.unfreeze(" + account + ")";
      default:
        break;
    }
    return "fixture.credit(" + account + ", " + Amount() + ", " + Reference() + ")";
  }

  std::string OfPlan(Writer& writer) {
    const std::string single = "is_hold AND status = 'inflight' AND ";
    const std::string hold = One(writer, true, single + "NOT meta_data ? 'destinations'");
    const std::string many = One(writer, true, single + "meta_data ? 'destinations'");
    const std::string account = Account(writer), other = Account(writer);
    switch (Random(9)) {
      case 0:
        return "plan.transact(" + account + ", NULL, " + Amount() + ", " + Reference() +
               ", 'debit')";
      case 1:
      case 2:
        return "plan.transact(" + account + ", " + other + ", " + Amount() + ", " + Reference() +
               ", 'transfer')";
      case 3:
        return "plan.place_hold(" + account + ", 40, " + Reference() + ")";
      case 4:
        if (hold.empty()) break;
        return Random(2) == 0 ? "plan.release_hold(" + hold + ")"
                              : "plan.capture_hold(" + hold + ", 7)";
      case 5:
        return "plan.multi_transfer(" + account + ", ARRAY[" + other + ", " + account + ", " +
               other + "], ARRAY[" + Amount() + ", 7, " + Amount() + "]::bigint[], " + Reference() +
               ")";
      case 6:
        return "plan.multi_hold(" + account + ", ARRAY[" + other + "], ARRAY[20]::bigint[], " +
               Reference() + ")";
      case 7:
        if (many.empty()) break;
        return "plan.multi_capture(" + many + ", ARRAY[" + account + ", " + other +
               "], ARRAY[3, 4]::bigint[])";
      default:
        break;
    }
    return "plan.transact(NULL, " + account + ", " + Amount() + ", " + Reference() + ", 'credit')";
  }

  void RunNow() {
    for (int i = Random(3); i >= 0; --i) RunOnce();
  }

  void Disturb() {
    switch (Random(4)) {
      case 0:
        return Restart();
      case 1:
        return LoseBatch();
      case 2:
        return TakeOver();
      default:
        read_->Execute(
            "UPDATE summa_read.projection_checkpoint SET state = 'paused' WHERE projection "
            "= (ARRAY['account-balance-view', 'entry-record-view', 'event-log', "
            "'holder-dashboard-view'])[" +
            std::to_string(1 + Random(4)) + "]");
    }
  }
  // Another process goes on from what was stored.
  void Restart() {
    settings_.batch_size = kBatchSizes[Random(static_cast<int>(std::size(kBatchSizes)))];
    MakeRunner();
  }
  // The server goes away in the middle of a batch.
  void LoseBatch() {
    log_->fails = true;
    try {
      RunOnce();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0401") << error.what();
    }
    log_->fails = false;
  }
  // The earlier host wakes up with what it knew, under its lower fence: it changes nothing.
  void TakeOver() {
    const std::unique_ptr<Runner> earlier = std::move(runner_);
    const std::unique_ptr<Catalog> catalog = std::move(catalog_);
    const testkit::FakeTick& late = *ticks_.emplace_back(std::move(tick_));
    tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
    tick_->SetFence(++fence_);
    Restart();
    RunOnce();
    const std::string state =
        "SELECT string_agg(c::text, ' ' ORDER BY projection) FROM "
        "summa_read.projection_checkpoint c";
    const std::string before = read_->Value(state);
    for (int i = 0; i < 2; ++i) {
      try {
        earlier->Run(Tick(late.abi()));
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), "SH-0552") << error.what();
      }
    }
    EXPECT_EQ(read_->Value(state), before) << "a host with a lower fence has made progress";
  }

  // Nothing is left to do: everything that is committed is in the read models, whatever is open.
  void Rest() {
    read_->Execute(
        "UPDATE summa_read.projection_checkpoint SET state = 'running' WHERE state = "
        "'paused'");
    RunAll();
    EXPECT_THAT(Differences(), IsEmpty());
    const std::string position = plan() ? "position" : "sequence_number";
    EXPECT_EQ(read_->Column("SELECT DISTINCT position FROM summa_read.event_log ORDER BY 1"),
              db_->Column("SELECT " + position + " FROM ledger_event ORDER BY 1"));
    EXPECT_EQ(read_->Column("SELECT position FROM summa_read.event_log GROUP BY position, ordinal "
                            "HAVING count(*) > 1"),
              std::vector<std::string>())
        << "applied twice";
    EXPECT_EQ(
        read_->Column("SELECT key || ' at ' || position FROM (SELECT key, position, ordinal, "
                      "lag(position) OVER k AS before, lag(ordinal) OVER k AS ordinal_before "
                      "FROM summa_read.event_log WINDOW k AS (PARTITION BY key ORDER BY number)) "
                      "l WHERE (position, ordinal) < (before, ordinal_before)"),
        std::vector<std::string>())
        << "not in the order of the account";
  }

  EventLog* log_ = nullptr;
  std::string name_;  // of the database
  std::mt19937 random_;
  std::vector<Writer> writers_;
  std::vector<std::unique_ptr<testkit::FakeTick>> ticks_;  // of hosts that were taken over
  std::int64_t fence_ = 1;
  int numbers_ = 0;
};

TEST_P(Orders, ReadModelsAreWhatTheLedgerSaysWhateverTheOrder) {
  const bool soak = std::getenv("SUMMA_SOAK") != nullptr;
  const int seeds = soak ? kSoakSeeds : kSeeds;
  const int first = Number("SUMMA_SOAK_SEED", 1);
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::minutes(Number("SUMMA_SOAK_MINUTES", 1'000'000));
  int told = 0;
  for (; told < seeds && !HasFailure() && (!soak || std::chrono::steady_clock::now() < end);
       ++told) {
    const int seed = first + told;
    SCOPED_TRACE("SUMMA_SOAK_SEED=" + std::to_string(seed));
    if (told % kSeedsOfDatabase == 0) NewDatabase();
    Tell(seed);
  }
  std::cout << told << " random orders of commits from seed " << first << "\n";
}

INSTANTIATE_TEST_SUITE_P(
    Of, Orders,
    testing::Combine(testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                     testing::Bool()),
    [](const auto& param) {
      return std::string(std::get<0>(param.param) == ledger::Layout::kPlan ? "Plan" : "Deployed") +
             (std::get<1>(param.param) ? "WithAReadDatabase" : "");
    });

}  // namespace
}  // namespace summa::projections
