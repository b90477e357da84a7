// `summa-host doctor` against a real PostgreSQL and Redis: what it must find, and that it finds
// nothing where nothing is wrong.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

struct Found {
  std::string check, severity, found, expected, fix;
};

class Doctor : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    PostgresOptions options;
    options.fsync = true;
    options.settings = {{"max_prepared_transactions", "5"}};
    server_ = new PostgresServer(options);
    // As the README of bus-redis asks for.
    redis_ = new RedisServer({.append_only = true, .max_memory = "64mb", .extra_arguments = {}});
  }
  static void TearDownTestSuite() {
    delete redis_;
    delete server_;
  }
  void SetUp() override {
    name_ = "doctor_" + std::to_string(++databases_);
    url_ = InstallLedger(*server_, name_);
    file_.emplace("summa.yaml", Configuration());
    ASSERT_EQ(SummaHost({"migrate", "-c", file_->Path()}).exit_code, 0);
    // What the doctor itself asks for.
    Db db(url_);
    db.Execute(
        "CREATE INDEX idx_outbox_waiting ON outbox (created_at) WHERE status = 'pending' AND "
        "processed_at IS NULL");
    db.Execute("ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.01)");
  }

  std::string Configuration(const std::string& role = "postgres", const std::string& redis = "") {
    std::string url = url_;
    url.replace(url.find("postgres@"), 8, role);
    return "database: { ledger: { url: \"" + url + "\" } }\nhost: { name: tested }\nplugins:\n" +
           "  bus-redis: { url: \"" + (redis.empty() ? redis_->Url() : redis) + "\" }\n" +
           "  outbox: { use: { bus: bus-redis } }\n";
  }
  void Configure(const std::string& text) { file_.emplace("summa.yaml", text); }

  int Examine(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"doctor", "-c", file_->Path(), "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = SummaHost(arguments);
    output_ = result.out;
    findings_.clear();
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(result.out);
    simdjson::dom::element json;
    if (parser.parse(padded).get(json)) {
      ADD_FAILURE() << "no JSON: " << result.out << result.err;
      return result.exit_code;
    }
    for (const simdjson::dom::element each : json["findings"].get_array()) {
      const auto text = [&](const char* name) {
        std::string_view value;
        return each[name].get(value) ? std::string() : std::string(value);
      };
      findings_.push_back(
          {text("check"), text("severity"), text("found"), text("expected"), text("fix")});
    }
    EXPECT_EQ(result.err, "") << "what goes wrong is a finding";
    return result.exit_code;
  }
  // The finding of this check whose text has the word; the worst one first.
  Found Of(const std::string& check, const std::string& word = "") {
    for (const char* severity : {"error", "warn", "ok"}) {
      for (const Found& each : findings_) {
        if (each.check == check && each.severity == severity &&
            each.found.find(word) != std::string::npos) {
          return each;
        }
      }
    }
    ADD_FAILURE() << "no finding of " << check << " with \"" << word << "\": " << output_;
    return {};
  }
  std::vector<Found> Wrong() const {
    std::vector<Found> wrong;
    for (const Found& each : findings_) {
      if (each.severity != "ok") wrong.push_back(each);
    }
    return wrong;
  }

  static PostgresServer* server_;
  static RedisServer* redis_;
  static int databases_;
  std::string name_, url_, output_;
  std::optional<TemporaryFile> file_;
  std::vector<Found> findings_;
};

PostgresServer* Doctor::server_ = nullptr;
RedisServer* Doctor::redis_ = nullptr;
int Doctor::databases_ = 0;

TEST_F(Doctor, BeforeTheFirstMigrationItSaysSoInWords) {
  Db(url_).Execute("DROP SCHEMA summa_host CASCADE");
  EXPECT_EQ(Examine(), 1);
  EXPECT_NE(Of("migrations").fix.find("summa-host migrate"), std::string::npos) << output_;
  for (const Found& each : Wrong()) {
    EXPECT_EQ(each.found.find("LINE 1"), std::string::npos) << each.found;
    EXPECT_EQ(each.found.find("SH-0405"), std::string::npos) << each.found;
    if (each.found.find("42P01") == std::string::npos) continue;
    EXPECT_EQ(each.found.rfind("SH-0412", 0), 0u) << each.found;
    EXPECT_NE(each.found.find("the database is not migrated"), std::string::npos) << each.found;
  }
}

TEST_F(Doctor, AnOlderSchemaIsNotMigratedEither) {
  Db(url_).Execute("ALTER TABLE summa_host.worker_state DROP COLUMN state CASCADE");
  EXPECT_EQ(Examine(), 1);
  EXPECT_EQ(Of("lease").found.rfind("SH-0412 the database is not migrated", 0), 0u);
}

// A server that is slow to answer is a finding, and is one for moments on a busy machine.
TEST_F(Doctor, WhereNothingIsWrongItSaysSoAndExitsWithZero) {
  EXPECT_TRUE(BecomesTrue([&] { return Examine() == 0; }));
  for (const Found& each : Wrong()) ADD_FAILURE() << each.check << ": " << each.found;
  EXPECT_EQ(JsonMember(output_, "ok"), "true");
  for (const char* check : {"database",
                            "server-version",
                            "fsync",
                            "full_page_writes",
                            "synchronous_commit",
                            "session-settings",
                            "connections",
                            "clock",
                            "pooler",
                            "layout",
                            "migrations",
                            "privileges",
                            "row-security",
                            "whole-tables",
                            "other-ledger",
                            "sequence-cache",
                            "sequence-headroom",
                            "held-snapshot",
                            "prepared-transaction",
                            "replication-slot",
                            "autovacuum",
                            "dead-rows",
                            "lease",
                            "operations",
                            "token-file",
                            "plugin outbox",
                            "outbox index",
                            "outbox autovacuum",
                            "outbox dead letters",
                            "plugin bus-redis",
                            "bus-redis connection",
                            "bus-redis latency",
                            "bus-redis rights",
                            "bus-redis version",
                            "bus-redis role",
                            "bus-redis maxmemory-policy",
                            "bus-redis maxmemory",
                            "bus-redis appendonly",
                            "bus-redis appendfsync"}) {
    EXPECT_EQ(Of(check).severity, "ok") << check;
  }
  RunResult text;
  EXPECT_TRUE(BecomesTrue([&] {
    text = SummaHost({"doctor", "-c", file_->Path()});
    return text.exit_code == 0;
  })) << text.out;
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos) << "colours are for terminals";
  EXPECT_NE(text.out.find("ok     layout "), std::string::npos) << text.out;
}

TEST_F(Doctor, NamesThePidOfAHeldSnapshot) {
  Db holder(url_ + "&application_name=forgetful");
  holder.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  holder.Query("SELECT count(*) FROM outbox");
  EXPECT_EQ(Examine({"--held-longer-than", "1ms"}), 1);
  const Found found = Of("held-snapshot", "forgetful");
  const std::string pid = std::to_string(holder.BackendPid());
  EXPECT_EQ(found.severity, "warn");
  EXPECT_NE(found.found.find("pid " + pid + " "), std::string::npos) << found.found;
  EXPECT_NE(found.found.find("idle in transaction"), std::string::npos) << found.found;
  EXPECT_NE(found.fix.find("pg_terminate_backend(" + pid + ")"), std::string::npos) << found.fix;
}

TEST_F(Doctor, NamesPreparedTransactionsAndSlotsNobodyReads) {
  Db db(url_);
  db.Execute("BEGIN");
  db.Query("SELECT txid_current()");
  db.Query("PREPARE TRANSACTION 'for''gotten'");
  db.Query("SELECT pg_create_physical_replication_slot('lonely', true)");
  EXPECT_EQ(Examine({"--held-longer-than", "1ms"}), 1);
  EXPECT_NE(Of("prepared-transaction").fix.find("ROLLBACK PREPARED 'for''gotten'"),
            std::string::npos);
  EXPECT_NE(Of("replication-slot").fix.find("pg_drop_replication_slot('lonely')"),
            std::string::npos);
  db.Query("ROLLBACK PREPARED 'for''gotten'");
  db.Query("SELECT pg_drop_replication_slot('lonely')");
}

TEST_F(Doctor, FindsSequencesThatCacheOrEnd) {
  Db db(url_);
  const std::string sequence =
      db.Value("SELECT pg_get_serial_sequence('ledger_event', 'sequence_number')");
  db.Execute("ALTER SEQUENCE " + sequence + " CACHE 10 MAXVALUE 1000");
  db.Query("SELECT setval('" + sequence + "', 900)");
  EXPECT_EQ(Examine(), 1);
  const Found cache = Of("sequence-cache");
  EXPECT_EQ(cache.severity, "error");
  EXPECT_NE(cache.found.find("CACHE 10"), std::string::npos) << cache.found;
  EXPECT_NE(cache.fix.find("ALTER SEQUENCE " + sequence + " CACHE 1;"), std::string::npos)
      << cache.fix;
  const Found headroom = Of("sequence-headroom");
  EXPECT_EQ(headroom.severity, "error");
  EXPECT_NE(headroom.found.find("90 %"), std::string::npos) << headroom.found;
}

TEST_F(Doctor, PrintsTheGrantsThatAreMissing) {
  Db db(url_);
  const std::string role = name_ + "_role";
  db.Execute("CREATE ROLE " + role + " LOGIN");
  db.Execute("GRANT USAGE ON SCHEMA public, summa_host TO " + role);
  db.Execute("GRANT ALL ON ALL TABLES IN SCHEMA public, summa_host TO " + role);
  db.Execute("REVOKE UPDATE, DELETE ON outbox FROM " + role);
  Configure(Configuration(role));
  EXPECT_EQ(Examine(), 1);
  const Found found = Of("privileges", "outbox");
  EXPECT_EQ(found.severity, "error");
  EXPECT_EQ(found.fix, "GRANT DELETE, UPDATE ON \"public\".\"outbox\" TO " + role + ";");
  // What it prints, helps; and nothing more was missing.
  db.Execute(found.fix);
  Examine();
  EXPECT_EQ(Of("privileges").severity, "ok");
  db.Execute("DROP OWNED BY " + role);
  db.Execute("DROP ROLE " + role);
}

TEST_F(Doctor, ARoleThatMayNotEvenUseTheSchemaGetsThatGrant) {
  Db db(url_);
  const std::string role = name_ + "_role";
  db.Execute("CREATE ROLE " + role + " LOGIN");
  db.Execute("REVOKE USAGE ON SCHEMA public FROM public");
  Configure(Configuration(role));
  EXPECT_EQ(Examine(), 1);
  EXPECT_EQ(Of("privileges", "schema public").fix,
            "GRANT USAGE ON SCHEMA \"public\" TO " + role + ";");
  EXPECT_EQ(Of("privileges", "schema summa_host").fix,
            "GRANT USAGE ON SCHEMA \"summa_host\" TO " + role + ";");
  Db other(url_ + "&application_name=other");
  Examine();
  EXPECT_EQ(Of("held-snapshot", "of other roles").fix, "GRANT pg_read_all_stats TO " + role + ";");
  db.Execute("DROP ROLE " + role);
}

TEST_F(Doctor, NamesAnotherProgramThatHoldsALeaseAndOneThatDied) {
  Db db(url_);
  db.Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES ('outbox-cleanup', "
      "'5b6b2f0e-node', now() + interval '1 hour'), ('outbox-processor', 'summa-host/gone/1/aa', "
      "now() - interval '1 hour')");
  db.Execute(
      "INSERT INTO summa_host.worker_state (worker_id, plugin, kind, state, host) VALUES "
      "('outbox-processor', 'outbox', 'continuous', 'running', 'gone')");
  EXPECT_EQ(Examine(), 1);
  EXPECT_EQ(Of("lease", "5b6b2f0e-node").severity, "warn");
  const Found died = Of("lease", "summa-host/gone/1/aa");
  EXPECT_EQ(died.severity, "warn");
  EXPECT_NE(died.found.find("ended 36"), std::string::npos) << died.found;
}

TEST_F(Doctor, NamesOperationsThatFailedAndThoseWhosePluginIsNotEnabled) {
  Db db(url_);
  const auto add = [&](const std::string& plugin, const std::string& state) {
    return db.Value(
        "INSERT INTO summa_host.operation (plugin, kind, version, worker, single, arguments, "
        "state, "
        "rate, requested_by) VALUES ($1, 'backfill', 1, 'some-worker', false, '{}', $2, 0, "
        "'somebody') RETURNING id",
        {plugin, state});
  };
  add("outbox", "running");
  // A host with another configuration works on this one.
  db.Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES ('other-worker', "
      "'summa-host/other/1/aa', now() + interval '1 hour')");
  db.Query("UPDATE summa_host.operation SET worker = 'other-worker' WHERE id = $1::bigint",
           {add("elsewhere", "running")});
  const std::string gone = add("gone", "paused"), failed = add("outbox", "failed");
  db.Query(
      "UPDATE summa_host.operation SET error = 'the disk is full', finished_at = now() WHERE id = "
      "$1::bigint",
      {failed});
  EXPECT_EQ(Examine(), 1);
  const std::vector<Found> wrong = Wrong();
  EXPECT_EQ(std::count_if(wrong.begin(), wrong.end(),
                          [](const Found& each) { return each.check == "operations"; }),
            2)
      << output_;
  const Found stopped = Of("operations", "the disk is full");
  EXPECT_EQ(stopped.severity, "warn");
  EXPECT_NE(stopped.found.find("operation " + failed + " (backfill of outbox)"), std::string::npos)
      << stopped.found;
  EXPECT_NE(stopped.fix.find("summa-host operations resume " + failed), std::string::npos)
      << stopped.fix;
  const Found left = Of("operations", "does not enable plugin gone");
  EXPECT_EQ(left.severity, "warn");
  EXPECT_NE(left.found.find("operation " + gone + " (backfill of gone) is paused"),
            std::string::npos)
      << left.found;

  db.Query("DELETE FROM summa_host.operation WHERE plugin = 'gone'");
  db.Query(
      "UPDATE summa_host.operation SET state = 'running', error = NULL, finished_at = NULL WHERE "
      "id = $1::bigint",
      {failed});
  Examine();
  EXPECT_EQ(Of("operations").severity, "ok");
  EXPECT_NE(Of("operations").found.find("3 open"), std::string::npos) << Of("operations").found;
}

TEST_F(Doctor, FindsATokenFileThatCannotBeUsedOrThatEverybodyCanRead) {
  const TemporaryFile token("token", "a-token-of-this-test\n");
  std::string text = Configuration();
  const std::string name = "name: tested";
  text.replace(text.find(name), name.size(), name + ", token_file: \"" + token.Path() + "\"");
  Configure(text);
  using std::filesystem::perms;
  std::filesystem::permissions(token.Path(), perms(0644));
  EXPECT_EQ(Examine(), 1);
  const Found readable = Of("token-file");
  EXPECT_EQ(readable.severity, "warn");
  EXPECT_NE(readable.found.find("mode 0644"), std::string::npos) << readable.found;
  EXPECT_EQ(readable.fix, "chmod o= " + token.Path());
  std::filesystem::permissions(token.Path(), perms(0640));
  Examine();
  EXPECT_EQ(Of("token-file").severity, "ok");
  for (const char* wrong : {"short", "a-token-of-this-test\na-second-line-of-it\n"}) {
    std::ofstream(token.Path()) << wrong;
    EXPECT_EQ(Examine(), 1) << wrong;
    EXPECT_EQ(Of("token-file", "SH-0377").severity, "error") << wrong;
  }
  std::filesystem::remove(token.Path());
  EXPECT_EQ(Examine(), 1);
  EXPECT_EQ(Of("token-file", "SH-0377").severity, "error");
  EXPECT_EQ(output_.find("of-this-test"), std::string::npos) << "the token is shown";
}

TEST_F(Doctor, FindsWhatSlowsDownTheOutbox) {
  Db db(url_);
  db.Execute("DROP INDEX idx_outbox_waiting");
  db.Execute("DROP INDEX idx_outbox_pending");
  db.Execute("ALTER TABLE outbox SET (autovacuum_enabled = false)");
  db.Execute("ALTER TABLE outbox RESET (autovacuum_vacuum_scale_factor)");
  EXPECT_EQ(Examine(), 1);
  const Found index = Of("outbox index");
  EXPECT_EQ(index.severity, "error");
  EXPECT_EQ(Of("autovacuum", "outbox").severity, "error");
  EXPECT_EQ(Of("outbox autovacuum").severity, "warn");
  db.Query(index.fix);  // CONCURRENTLY: alone
  db.Execute(Of("outbox autovacuum").fix);
  Examine();
  EXPECT_EQ(Of("outbox index").severity, "ok");
  EXPECT_EQ(Of("outbox autovacuum").severity, "ok");
}

TEST_F(Doctor, FindsSettingsThatLoseOrStopTheWork) {
  Db db(url_);
  db.Execute("ALTER DATABASE " + name_ + " SET synchronous_commit = off");
  db.Execute("ALTER DATABASE " + name_ + " SET idle_session_timeout = '1s'");
  db.Execute("ALTER DATABASE " + name_ + " CONNECTION LIMIT 9");
  EXPECT_EQ(Examine(), 1);
  EXPECT_EQ(Of("synchronous_commit").severity, "error");
  EXPECT_EQ(Of("session-settings").severity, "ok") << "the host sets it for its sessions itself";
  EXPECT_EQ(Of("connections", "may have 9").severity, "error");
}

TEST_F(Doctor, ChangesNothingInADatabaseThatIsNotMigrated) {
  url_ = InstallLedger(*server_, name_ + "_bare");
  Configure(Configuration());
  EXPECT_EQ(Examine(), 1);
  EXPECT_EQ(Of("migrations").severity, "error");
  EXPECT_NE(Of("migrations").fix.find("summa-host migrate -c "), std::string::npos);
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM pg_namespace WHERE nspname = 'summa_host'"), 0);
}

TEST_F(Doctor, WithoutADatabaseItReportsTheRestAndExitsWith69) {
  Configure(
      "database: { ledger: { url: \"postgresql:///nowhere?host=/nonexistent\" } }\nplugins:\n"
      "  bus-redis: { url: \"" +
      redis_->Url() + "\" }\n");
  EXPECT_EQ(Examine(), 69);
  EXPECT_EQ(Of("database").severity, "error");
  EXPECT_NE(Of("database").found.find("SH-0401"), std::string::npos);
  EXPECT_EQ(Of("bus-redis role").severity, "ok");
  EXPECT_EQ(Of("token-file").severity, "ok");
}

TEST_F(Doctor, FindsARedisThatLosesMessages) {
  RedisServer careless(
      {.max_memory = "64mb", .extra_arguments = {"--maxmemory-policy", "allkeys-lru"}});
  Configure(Configuration("postgres", careless.Url()));
  EXPECT_EQ(Examine(), 1);
  const Found policy = Of("bus-redis maxmemory-policy");
  EXPECT_EQ(policy.severity, "error");
  EXPECT_EQ(policy.found, "allkeys-lru");
  EXPECT_EQ(Of("bus-redis appendonly").severity, "error");
  RedisClient client(careless.Url());
  client.Command({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  client.Command({"CONFIG", "SET", "appendonly", "yes"});
  client.Command({"CONFIG", "SET", "appendfsync", "everysec"});
  client.Command({"CONFIG", "SET", "maxmemory", "0"});
  Examine();
  EXPECT_EQ(Of("bus-redis maxmemory-policy").severity, "ok");
  EXPECT_EQ(Of("bus-redis appendfsync").severity, "warn");
  EXPECT_EQ(Of("bus-redis maxmemory").severity, "warn");
  EXPECT_EQ(client.Keys("*").size(), 0u) << "something was written";
}

TEST_F(Doctor, FindsAReplicaAndALoginWithTooFewRights) {
  RedisServer replica({.append_only = true, .max_memory = "64mb", .extra_arguments = {}});
  RedisClient client(replica.Url());
  client.Command({"ACL", "SETUSER", "poor", "on", ">secret", "~other:*", "+@all", "-xadd"});
  client.Command({"REPLICAOF", "127.0.0.1", "1"});
  const std::string path = replica.Url().substr(std::string("unix://").size());
  Configure(Configuration("postgres", "unix://poor:secret@" + path));
  EXPECT_EQ(Examine(), 1);
  const Found rights = Of("bus-redis rights");
  EXPECT_EQ(rights.severity, "error");
  EXPECT_NE(rights.fix.find("ACL SETUSER poor ~summa:*"), std::string::npos) << rights.fix;
  EXPECT_NE(rights.found.find("+xadd"), std::string::npos) << rights.found;
  EXPECT_EQ(Of("bus-redis role").severity, "error");
  EXPECT_EQ(output_.find("secret"), std::string::npos) << "a password is shown";
}

TEST_F(Doctor, ARedisThatIsAwayIsAFinding) {
  Configure(Configuration("postgres", "unix:///nonexistent/redis.sock"));
  EXPECT_EQ(Examine(), 1);
  EXPECT_NE(Of("plugin bus-redis", "SH-0601").fix.find("start Redis"), std::string::npos);
}

TEST_F(Doctor, WhatAPluginReportsBeforeItFailsIsKept) {
  Configure("database: { ledger: { url: \"" + url_ + "\" } }\nplugins: { sick: {} }\n");
  EXPECT_EQ(Examine({"--plugin-dir",
                     std::string(std::getenv("SUMMA_BINARY_DIR")) + "/tests/broken-plugins/sick"}),
            1);
  EXPECT_EQ(Of("sick lungs").severity, "ok");
  const Found heart = Of("sick heart");
  EXPECT_EQ(heart.severity, "error");
  EXPECT_EQ(heart.expected, "a beat");
  EXPECT_NE(Of("plugin sick", "kidneys").fix.find("try later"), std::string::npos);
}

}  // namespace
}  // namespace summa::test
