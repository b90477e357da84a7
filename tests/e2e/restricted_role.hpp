// A ledger whose owner has migrated it, and a role with exactly the rights that docs/operate.md
// grants.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {

// Every statement of the section "Privileges" of docs/operate.md that the owner of the ledger runs
// when he migrates.
inline std::string DocumentedGrants() {
  std::ifstream file(SourceDir() + "/docs/operate.md");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string document = text.str();
  const std::string begin = "<!-- grants -->\n```sql\n";
  const std::size_t from = document.find(begin);
  if (from == std::string::npos) throw std::runtime_error("docs/operate.md has no grants");
  const std::size_t start = from + begin.size();
  return document.substr(start, document.find("```", start) - start);
}

class RestrictedRole : public testing::Test {
 protected:
  // Accounts with an opening credit each; the owner is the superuser of the test's server.
  void Install(int accounts = 5) {
    name_ = "restricted_" + std::to_string(++databases_);
    url_ = InstallLedger(Server(), name_);
    EnsureAccounts(url_, accounts);
    db_ = std::make_unique<Db>(url_);
    if (db_->Count("SELECT count(*) FROM pg_roles WHERE rolname = 'background'") == 0) {
      db_->Execute("CREATE ROLE background LOGIN");
    }
    db_->Execute("ALTER ROLE background NOBYPASSRLS");
    const TemporaryFile owner("summa.yaml", Configuration("postgres"));
    const RunResult migrated = SummaHost({"migrate", "-c", owner.Path()});
    ASSERT_EQ(migrated.exit_code, 0) << migrated.err;
    db_->Execute(DocumentedGrants());
  }
  virtual PostgresServer& Server() {
    static PostgresServer server;
    return server;
  }

  std::string Configuration(const std::string& role = "background",
                            const std::string& rest = "") const {
    std::string url = url_;
    url.replace(url.find("postgres@"), 8, role);
    return "database: { ledger: { url: \"" + url + "\" } }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" +
           "  bus-redis: { url: \"" + redis_.Url() + "\" }\n" +
           "  outbox: { use: { bus: bus-redis } }\n  reconciliation: {}\n" + rest;
  }
  RunResult Run(std::vector<std::string> words, const std::string& role = "background") {
    const TemporaryFile file("summa.yaml", Configuration(role));
    words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
    return SummaHost(words);
  }
  // The verb fails with this code of an error and of the process.
  void ExpectRefused(const std::vector<std::string>& words, const std::string& code,
                     int exit_code) {
    const RunResult run = Run(words);
    EXPECT_EQ(run.exit_code, exit_code) << words[0] << ": " << run.out << run.err;
    EXPECT_NE((run.out + run.err).find(code), std::string::npos)
        << words[0] << ": " << run.out << run.err;
  }
  long long Pending() {
    return db_->Count(
        "SELECT count(*) FROM outbox WHERE status = 'pending' AND processed_at IS NULL");
  }
  std::size_t Streams() { return RedisClient(redis_.Url()).Keys("summa:stream:*").size(); }

  static inline int databases_ = 0;
  RedisServer redis_;
  std::string name_, url_;
  std::unique_ptr<Db> db_;
};

}  // namespace summa::test
