// That no plugin takes all sessions of the pool, and that whoever holds them is named.
#include <gmock/gmock.h>

#include <deque>
#include <random>

#include "host/abi/sql_service.hpp"
#include "summa/sql.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using ::testing::HasSubstr;

int TakeAll(SessionBudget& budget, const std::string& plugin) {
  int taken = 0;
  for (; budget.MayAcquire(plugin); ++taken) budget.Acquire({plugin, {}}, {});
  return taken;
}

TEST(SessionBudget, AConsumerOfTenHandlersLeavesTheOutboxItsShareAndOneForAnybody) {
  SessionBudget budget(8, {{{"outbox", 2}, {"greeter", 1}}, {"outbox", "reconciliation"}});
  EXPECT_EQ(TakeAll(budget, "greeter"), 5);
  EXPECT_TRUE(budget.MayAcquire("neighbour")) << "it has none";
  budget.Acquire({"neighbour", {}}, {});
  EXPECT_FALSE(budget.MayAcquire("neighbour"));
  EXPECT_EQ(TakeAll(budget, "outbox"), 2);
  EXPECT_EQ(budget.used(), 8);
}

TEST(SessionBudget, APluginWithoutAShareThatLeaksKeepsNobodyFromWorking) {
  SessionBudget budget(8, {{{"outbox", 2}}, {"outbox"}});
  EXPECT_EQ(TakeAll(budget, "leaky"), 5);
  EXPECT_TRUE(budget.MayAcquire("neighbour"));
  EXPECT_EQ(TakeAll(budget, "outbox"), 3);
}

TEST(SessionBudget, TheHostsOwnPluginsTakeWhatIsFree) {
  SessionBudget budget(8, {{{"outbox", 2}, {"greeter", 1}}, {"outbox", "reconciliation"}});
  budget.Acquire({"outbox", {}}, {});
  EXPECT_EQ(TakeAll(budget, "reconciliation"), 7);
}

TEST(SessionBudget, WithoutSharesThePoolIsNotDivided) {
  SessionBudget budget(3, {});
  EXPECT_EQ(TakeAll(budget, "verb"), 3);
}

TEST(SessionBudget, AShareIsThereInEveryOrderOfTakingAndGiving) {
  const std::map<std::string, int> shares = {{"outbox", 2}, {"greeter", 1}, {"other", 1}};
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    const int pool = 5 + static_cast<int>(seed % 6);
    SessionBudget budget(pool, {shares, {}});
    std::map<std::string, std::deque<SessionBudget::Ticket>> held;
    const std::vector<std::string> plugins = {"outbox", "greeter", "other", "leaky", "late"};
    for (int step = 0; step < 2000; ++step) {
      const std::string& plugin = plugins[random() % plugins.size()];
      if (random() % 3 != 0 && budget.MayAcquire(plugin)) {
        held[plugin].push_back(budget.Acquire({plugin, {}}, {}));
      } else if (!held[plugin].empty()) {
        budget.Release(held[plugin].front());
        held[plugin].pop_front();
      }
      ASSERT_LE(budget.used(), pool);
      for (const auto& [name, share] : shares) {
        if (static_cast<int>(held[name].size()) < share) {
          ASSERT_TRUE(budget.MayAcquire(name)) << name << " seed " << seed << " step " << step;
        }
      }
    }
  }
}

class SessionBudgetTest : public DatabaseTest {
 protected:
  SessionBudgetTest() {
    settings_.pool = 4;
    settings_.shares = {{{"outbox", 1}}, {"outbox"}};
    pool_ = std::make_shared<SessionPool>(settings_);
    service_ = std::make_unique<SqlService>(
        std::map<std::string, std::shared_ptr<SessionPool>>{{"ledger", pool_}});
    db_->Execute(
        "INSERT INTO worker_lease VALUES ('w', 'me', now() + interval '1 min'); INSERT "
        "INTO summa_host.worker_fence VALUES ('w', 3)");
  }
  SessionUse UseOf(const std::string& plugin) const {
    for (const SessionUse& use : pool_->Use().uses) {
      if (use.plugin == plugin) return use;
    }
    return {};
  }

  std::shared_ptr<SessionPool> pool_;
  std::unique_ptr<SqlService> service_;
  const LeaseGuard guard_{"w", "me", 3};
};

TEST_F(SessionBudgetTest, WhoeverHoldsTheSessionsIsNamedAndTheOutboxStillHasOne) {
  const auto scope = service_->ForLease(guard_, "greedy");
  summa::Session first(scope->table()), second(scope->table());
  EXPECT_EQ(UseOf("greedy").sessions, 2);
  const auto failure = CatchSql([&] {
    pool_->Acquire({"greedy", "w"}, std::chrono::milliseconds(1));
  });
  EXPECT_EQ(failure.error().code, "SH-0403");
  EXPECT_THAT(failure.error().message, HasSubstr("plugin greedy holds 2"));
  EXPECT_THAT(failure.error().message, HasSubstr("(worker w)"));
  EXPECT_THAT(pool_->Use().refused, HasSubstr("plugin greedy holds 2"));
  summa::Session outbox(service_->ForPlugin("outbox"));
  summa::Session neighbour(service_->ForPlugin("neighbour"));
  EXPECT_EQ(UseOf("neighbour").sessions, 1);
}

TEST_F(SessionBudgetTest, WhatACallOfAWorkerDidNotCloseIsTakenBack) {
  const auto scope = service_->ForLease(guard_, "leaky");
  const summa_sql_v1* sql = scope->table();
  std::vector<summa_sql_session*> leaked(2);
  for (auto& session : leaked) {
    summa_error error = summa::detail::EmptyError();
    ASSERT_EQ(sql->open(sql->self, summa::ToAbi("ledger"), &session, &error), SUMMA_OK);
  }
  EXPECT_EQ(UseOf("leaky").sessions, 2);
  scope->ReclaimSessions();
  EXPECT_EQ(UseOf("leaky").sessions, 0);
  // Whoever still has it is told, and nothing is written.
  summa_error error = summa::detail::EmptyError();
  EXPECT_NE(sql->begin(leaked[0], SUMMA_SQL_READ_WRITE, &error), SUMMA_OK);
  EXPECT_STREQ(error.code, "SH-0419");
  for (auto* session : leaked) sql->close(session);
  summa::Session again(sql);
  EXPECT_EQ(again.Exec("SELECT 1::int8").Value<std::int64_t>(), 1);
}

TEST_F(SessionBudgetTest, AConnectionThatCannotBeOpenedUsesNothing) {
  settings_.url = "postgresql://nobody@127.0.0.1:1/none";
  SessionPool pool(settings_);
  EXPECT_EQ(CatchSql([&] {
              pool.Acquire({"greedy", ""}, std::chrono::milliseconds(1));
            })
                .error()
                .code,
            "SH-0401");
  EXPECT_EQ(pool.Use().busy, 0);
  for (const SessionUse& use : pool.Use().uses) EXPECT_EQ(use.sessions, 0) << use.plugin;
}

}  // namespace
}  // namespace summa::host
