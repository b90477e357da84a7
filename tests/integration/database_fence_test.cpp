// No statement of a plugin makes its session writable past the fence, and nothing that it sets
// reaches the next user of the session.
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

class FenceTest : public DatabaseTest {
 protected:
  FenceTest() : pool_(settings_) {
    db_->Execute(
        "CREATE TABLE item (id integer);"
        "CREATE FUNCTION open_fence() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM "
        "set_config('default_transaction_read_only', 'off', false); END $$;"
        "CREATE FUNCTION open_by_set() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET "
        "default_transaction_read_only = off; END $$;"
        "CREATE FUNCTION open_by_reset() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RESET ALL; END "
        "$$;"
        "CREATE FUNCTION spoil() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET search_path = "
        "pg_temp; SET row_security = on; SET TimeZone = 'Asia/Tokyo'; SET statement_timeout = 0; "
        "END $$");
  }
  // Whether a write outside a transaction is refused after `sql`, whatever came of that.
  void ExpectFenceHoldsAfter(const std::string& sql) {
    auto session = pool_.Acquire();
    try {
      session->Exec(sql, {}, 0);
      ADD_FAILURE() << "not refused: " << sql;
    } catch (const SqlFailure& failure) {
      EXPECT_TRUE(failure.error().code == "SH-0426" || failure.error().code == "SH-0408")
          << failure.what();
    }
    EXPECT_THROW(session->Exec("INSERT INTO item VALUES (1)", {}, 0), SqlFailure) << sql;
    pool_.Release(std::move(session));
    session = pool_.Acquire();
    EXPECT_EQ(CatchSql([&] { session->Exec("INSERT INTO item VALUES (2)", {}, 0); }).sqlstate(),
              "25006")
        << sql;
    EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0) << sql;
    pool_.Release(std::move(session));
  }

  SessionPool pool_;
};

TEST_F(FenceTest, HoldsOutsideATransaction) {
  for (const char* sql : {"SELECT set_config('default_transaction_read_only', 'off', false)",
                          "SELECT open_fence()", "SELECT open_by_set()", "SELECT open_by_reset()",
                          "SELECT pg_catalog.set_config(lower('DEFAULT_TRANSACTION_READ_ONLY'), "
                          "'o' || 'ff', false)",
                          "SET \"default_transaction_read_only\" = off",
                          "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
                          "WITH x AS (SELECT open_fence()) SELECT * FROM x"}) {
    ExpectFenceHoldsAfter(sql);
  }
}

// Not everybody's first use prepares; the second does.
TEST_F(FenceTest, HoldsForAPreparedStatement) {
  const SqlParameter on{"on", 2, 25, 0}, off{"off", 3, 25, 0};
  const char* sql = "SELECT set_config('default_transaction_read_only', $1, false)";
  auto session = pool_.Acquire();
  for (int use = 0; use < 3; ++use) session->Exec(sql, {&on, 1}, 0);
  EXPECT_EQ(CatchSql([&] { session->Exec(sql, {&off, 1}, 0); }).error().code, "SH-0426");
  EXPECT_THROW(session->Exec("INSERT INTO item VALUES (1)", {}, 0), SqlFailure);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
}

TEST_F(FenceTest, HoldsForACopy) {
  auto session = pool_.Acquire();
  EXPECT_EQ(CatchSql([&] {
              session->CopyOut("COPY (SELECT open_fence()) TO STDOUT",
                               [](std::string_view) { return true; });
            })
                .error()
                .code,
            "SH-0426");
  EXPECT_TRUE(session->broken());
}

// A read-only transaction is committed without the guard of the lease: it must have written
// nothing.
TEST_F(FenceTest, AReadOnlyTransactionStaysOne) {
  for (const char* sql :
       {"SET LOCAL transaction_read_only = off", "SET LOCAL \"transaction_read_only\" = off",
        "SET LOCAL U&\"transaction\\005fread_only\" = off",
        "SET LOCAL Transaction_Read_Only TO off",
        "SET LOCAL \"default_transaction_read_only\" TO off",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "DO $$ BEGIN SET LOCAL transaction_read_only = off; END $$"}) {
    auto session = pool_.Acquire();
    session->Begin(TransactionMode::kReadOnly);
    try {
      session->Exec(sql, {}, 0);
      session->Exec("INSERT INTO item VALUES (1)", {}, 0);
      session->Commit(nullptr);
      ADD_FAILURE() << "committed: " << sql;
    } catch (const SqlFailure&) {
    }
    pool_.Release(std::move(session));
    EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0) << sql;
  }
}

TEST_F(FenceTest, InATransactionNothingOfItIsCommitted) {
  auto session = pool_.Acquire();
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("INSERT INTO item VALUES (1)", {}, 0);
  EXPECT_EQ(CatchSql([&] { session->Exec("SELECT open_fence()", {}, 0); }).error().code, "SH-0426");
  EXPECT_THROW(session->Commit(nullptr), SqlFailure);
  pool_.Release(std::move(session));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
}

TEST_F(FenceTest, WhatAFunctionSetsDoesNotReachTheNextUser) {
  db_->Execute("ALTER DATABASE " + name_ + " SET TimeZone = 'Asia/Tokyo'");
  for (const char* sql : {"SELECT spoil()", "SELECT set_config('search_path', 'pg_temp', false)"}) {
    auto session = pool_.Acquire();
    session->Begin(TransactionMode::kReadWrite);
    session->Exec(sql, {}, 0);
    session->Commit(nullptr);
    pool_.Release(std::move(session));
    session = pool_.Acquire();
    const auto show = [&](const char* name) {
      return std::string(*session->Exec(std::string("SHOW ") + name, {}, 0)->Cell(0, 0));
    };
    EXPECT_EQ(show("search_path"), "\"public\", pg_temp") << sql;
    EXPECT_EQ(show("row_security"), "off") << sql;
    EXPECT_EQ(show("TimeZone"), "UTC") << sql;
    EXPECT_EQ(show("statement_timeout"), "1min") << sql;
    pool_.Release(std::move(session));
  }
}

TEST_F(FenceTest, ASessionThatDiedWhileItWasMadeReadyIsNotHandedOut) {
  auto session = pool_.Acquire();
  const int pid = session->backend_pid();
  session->Exec("SELECT 1", {}, 0);
  pool_.Release(std::move(session));
  Kill(pid);
  EXPECT_EQ(*pool_.Acquire()->Exec("SELECT 1", {}, 0)->Cell(0, 0), "1");
  EXPECT_EQ(pool_.Use().free, pool_.settings().pool - 1) << "the dead one is counted no more";
}

}  // namespace
}  // namespace summa::host
