// The rights that docs/operate.md grants are enough for every worker and verb, and each of them
// that a statement needs is one that `doctor` tries. Which those are is not written down here: the
// server says it of the statements that a whole run has sent it.
#include <filesystem>
#include <set>

#include "plugins/reconciliation/statement.hpp"
#include "tests/e2e/restricted_role.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

class Rights : public RestrictedRole {
 protected:
  PostgresServer& Server() override {
    // Every statement of the role goes to the server's log.
    static PostgresServer server(
        {.settings = {{"log_statement", "all"}, {"log_line_prefix", "@%u@"}}});
    return server;
  }
  void SetUp() override { Install(); }

  void Succeed(const std::vector<std::string>& words) {
    const RunResult run = Run(words);
    std::string line;
    for (const std::string& word : words) line += " " + word;
    EXPECT_EQ(run.exit_code, 0) << line << ": " << run.out << run.err;
  }
  // Everything that the host and its plugins can be asked for, with something for each to do.
  void UseEverything() {
    Succeed({"run", "--once"});
    const std::string account = db_->Value("SELECT id FROM account_balance LIMIT 1");
    db_->Query("SELECT fixture.credit(fixture.account_id(1), 5)");
    const std::string row = db_->Value(
        "INSERT INTO dead_letter_queue (outbox_id, topic, payload, error_message, retry_count) "
        "SELECT id, topic, payload, 'refused', 3 FROM outbox LIMIT 1 RETURNING outbox_id");
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"workers", "list"},
             {"workers", "pause", "outbox-cleanup"},
             {"workers", "resume", "outbox-cleanup"},
             {"outbox", "status"},
             {"outbox", "redrive", "--id", row, "--dry-run"},
             {"dlq", "list"},
             {"dlq", "redrive", "--id", row},
             {"bus", "streams"},
             {"reconcile"},
             {"verify:all", "--full"},
             {"verify:status"},
             {"verify:create-snapshots"},
             {"verify:aggregate", "--type", "account", "--id", account},
             {"run", "--once"},
             {"outbox", "verify"},
             {"outbox", "redrive", "--missing"},
             {"doctor"}}) {
      if (words[0] != "doctor") Succeed(words);
    }
    RunHostForOrders();
  }
  // What only a running host does: requests of other processes, parking.
  void RunHostForOrders() {
    const TemporaryFile file("summa.yaml", Configuration());
    RunningHost host({"-c", file.Path()});
    host.StatusWhen("running");
    Succeed({"workers", "run", "outbox-cleanup"});
    Succeed({"workers", "run", "daily-reconciliation"});
    Succeed({"reconcile"});  // asks the host for its lease
    host.process().Signal(SIGTERM);
    EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
    EXPECT_EQ(host.process().Stderr().find("SH-0406"), std::string::npos)
        << host.process().Stderr();
  }

  // Statements of the role, as it sent them, each once.
  std::set<std::string> Statements() {
    std::set<std::string> statements;
    const std::string log = Server().Log(), mark = "@background@LOG:  ";
    for (std::size_t at = log.find(mark); at != std::string::npos; at = log.find(mark, at + 1)) {
      std::size_t from = log.find(": ", at + mark.size());
      const std::size_t end = log.find("\n@", at);
      if (from == std::string::npos || end == std::string::npos || from > end) continue;
      std::string sql = log.substr(from + 2, end - from - 2);
      std::string text;
      for (const char c : sql) text += c == '\t' ? ' ' : c;
      const std::string copy = "COPY (";
      const std::size_t to = text.rfind(") TO STDOUT");
      if (text.compare(0, copy.size(), copy) == 0 && to != std::string::npos) {
        text = text.substr(copy.size(), to - copy.size());
      }
      statements.insert(text);
    }
    return statements;
  }
  // Those of the plugins that a run without trouble does not need.
  static void AddFiles(std::set<std::string>& statements) {
    const ledger::EventTable names = ledger::DescribeEvents(ledger::Layout::kDeployed);
    for (const char* plugin : {"outbox", "reconciliation"}) {
      const std::string folder = SourceDir() + "/plugins/" + plugin + "/sql";
      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path());
        std::ostringstream text;
        text << file.rdbuf();
        statements.insert(reconciliation::ForTable(text.str(), names));
      }
    }
  }
  // Which of the statements the role may not run now. EXPLAIN asks for the rights and runs
  // nothing.
  static std::vector<std::string> Refused(Db& role, const std::vector<std::string>& plans) {
    std::vector<std::string> refused;
    for (const std::string& plan : plans) {
      try {
        role.Execute(plan);
      } catch (const DbError& error) {
        if (error.sqlstate == "42501") refused.push_back(std::string(error.what()) + " in " + plan);
      }
    }
    return refused;
  }
  // Prepares what can be planned; the texts that explain it.
  static std::vector<std::string> Plans(Db& role, const std::set<std::string>& statements) {
    std::vector<std::string> plans;
    int number = 0;
    for (const std::string& sql : statements) {
      const std::string name = "s" + std::to_string(++number);
      try {
        role.Query("PREPARE " + name + " AS " + sql);
      } catch (const DbError&) {
        continue;  // BEGIN, SET, LOCK and the like
      }
      const auto count = std::stoi(role.Value(
          "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = '" + name +
          "'"));
      std::string arguments;
      for (int i = 0; i < count; ++i) arguments += i == 0 ? "(NULL" : ", NULL";
      plans.push_back("EXPLAIN EXECUTE " + name + arguments + (count > 0 ? ")" : ""));
    }
    return plans;
  }
  // "SELECT public.outbox", of every right that the role has been given on a table.
  std::vector<std::pair<std::string, std::string>> Granted() {
    std::vector<std::pair<std::string, std::string>> granted;
    for (const Row& row :
         db_->Query("SELECT privilege_type, table_schema || '.' || table_name FROM "
                    "information_schema.role_table_grants WHERE grantee = 'background' AND "
                    "table_catalog = current_database() ORDER BY 2, 1")) {
      granted.emplace_back(row[0], row[1]);
    }
    return granted;
  }
  std::string RoleUrl() const {
    std::string url = url_;
    return url.replace(url.find("postgres@"), 8, "background");
  }
};

TEST_F(Rights, TheDocumentedOnesAreEnoughForEveryWorkerAndVerb) {
  UseEverything();
  const RunResult doctor = Run({"doctor"});
  EXPECT_EQ(doctor.out.find("may not"), std::string::npos) << doctor.out;
}

TEST_F(Rights, ThatStatementsNeedAreAllTriedByTheDoctorAndGrantedByTheDocument) {
  UseEverything();
  Db role(RoleUrl());
  role.Execute("SET row_security = off");
  std::set<std::string> statements = Statements();
  AddFiles(statements);
  const std::vector<std::string> plans = Plans(role, statements);
  ASSERT_GT(plans.size(), 120U) << "of " << statements.size() << " statements of the log";
  EXPECT_THAT(Refused(role, plans), testing::IsEmpty()) << "granted by docs/operate.md";

  std::set<std::string> needed;
  for (const auto& [privilege, table] : Granted()) {
    db_->Execute("REVOKE " + privilege + " ON " + table + " FROM background");
    if (!Refused(role, plans).empty()) needed.insert(privilege + " on " + table);
    db_->Execute("GRANT " + privilege + " ON " + table + " TO background");
  }
  EXPECT_GT(needed.size(), 30U);

  // Without any right on a table the doctor prints every GRANT.
  for (const auto& [privilege, table] : Granted()) {
    db_->Execute("REVOKE " + privilege + " ON " + table + " FROM background");
  }
  const std::string doctor = Run({"doctor"}).out;
  for (const std::string& each : needed) {
    const std::string privilege = each.substr(0, each.find(' '));
    const std::string table = each.substr(each.rfind(' ') + 1);
    const std::size_t at = doctor.find(" on " + table + "\"");
    ASSERT_NE(at, std::string::npos) << each << " in " << doctor;
    const std::size_t begin = doctor.rfind("may not ", at);
    EXPECT_THAT(doctor.substr(begin, at - begin), HasSubstr(privilege)) << each;
  }
}

TEST_F(Rights, OfSequencesFunctionsAndTheHostsOwnTablesAreNamedWhenTheyAreMissing) {
  db_->Execute(
      "REVOKE ALL ON SEQUENCE block_checkpoint_block_sequence_seq FROM background; "
      "REVOKE ALL ON summa_host.schema_migration, summa_host.worker_parked FROM background; "
      "REVOKE ALL ON FUNCTION summa_host.try_jsonb(text) FROM background, public; "
      "REVOKE DELETE ON summa_host.worker_request FROM background");
  const RunResult doctor = Run({"doctor"});
  EXPECT_EQ(doctor.exit_code, 1);
  for (const char* grant :
       {"GRANT USAGE ON SEQUENCE public.block_checkpoint_block_sequence_seq TO background;",
        "GRANT SELECT ON \\\"summa_host\\\".\\\"schema_migration\\\" TO background;",
        "GRANT DELETE, INSERT, SELECT, UPDATE ON \\\"summa_host\\\".\\\"worker_parked\\\" TO "
        "background;",
        "GRANT DELETE ON \\\"summa_host\\\".\\\"worker_request\\\" TO background;",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA summa_host TO background;"}) {
    EXPECT_THAT(doctor.out, HasSubstr(grant));
  }
  ExpectRefused({"run", "--once", "--wait", "100ms"}, "SH-0406", 77);
}

TEST_F(Rights, OnTheSchemaOfTheHostAreAskedForByName) {
  db_->Execute("REVOKE USAGE ON SCHEMA summa_host FROM background");
  EXPECT_THAT(Run({"doctor"}).out,
              HasSubstr("GRANT USAGE ON SCHEMA \\\"summa_host\\\" TO background;"));
  ExpectRefused({"run", "--once", "--wait", "100ms"}, "SH-0406", 77);
  ExpectRefused({"outbox", "status"}, "SH-0406", 77);
}

}  // namespace
}  // namespace summa::test
