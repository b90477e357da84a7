// One right after the other is taken away from a role, and from a login of Redis, that has exactly
// the documented ones: `doctor` names it, and a verb or worker that needs it fails and says which.
// Who needs which right is not written down here: the server's log says which statements each of
// them has sent, EXPLAIN under the role which rights those ask for, and Redis counts commands.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "plugins/reconciliation/statement.hpp"
#include "tests/e2e/restricted_role.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

// A right on a table: "SELECT", "public.outbox".
using TableRight = std::pair<std::string, std::string>;

std::string Joined(const Words& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

class EachRight : public RestrictedRole {
 protected:
  static constexpr const char* kStream = "ledger-account-created";

  PostgresServer& Server() override {
    static PostgresServer server(
        {.settings = {{"log_statement", "all"}, {"log_line_prefix", "@%u@%a@"}}});
    return server;
  }
  void SetUp() override {
    Install();
    const std::string stream = "summa:stream:" + std::string(kStream);
    client_.Command({"XADD", stream, "*", "v", "0"});
    uses_ = {Worker("outbox-processor"),
             Worker("outbox-cleanup"),
             Worker("stream-trim"),
             Worker("inbox-cleanup"),
             Worker("block-checkpoint"),
             Worker("hash-snapshot-creator"),
             Worker("rolling-verification"),
             Worker("daily-reconciliation"),
             {"workers", "list"},
             {"workers", "pause", "outbox-cleanup"},
             {"workers", "resume", "outbox-cleanup"},
             {"outbox", "status"},
             {"outbox", "verify"},
             {"outbox", "redrive", "--id", "ROW"},
             {"outbox", "redrive", "--missing"},
             {"outbox", "redrive", "--lost"},
             {"dlq", "list"},
             {"dlq", "list", "--source", "bus"},
             {"dlq", "show", "ROW"},
             {"dlq", "redrive", "--id", "ROW"},
             {"dlq", "discard", "--id", "ROW"},
             {"bus", "streams"},
             {"bus", "groups"},
             {"bus", "group", "create", kStream, "made"},
             {"bus", "group", "reset", kStream, "readers"},
             {"bus", "group", "delete", kStream, "readers", "--force"},
             {"bus", "trim"},
             {"bus", "tail", kStream},
             {"bus", "tail", kStream, "--from", "0-1"},
             {"reconcile"},
             {"verify:all", "--full"},
             {"verify:status"},
             {"verify:create-snapshots"},
             {"verify:aggregate", "--type", "account", "--id", "ACCOUNT"}};
  }
  static Words Worker(const std::string& id) {
    return {"run", "--once", "--wait", "100ms", "--only", id};
  }

  // Something to do for each: events, a message that goes to the dead letters, and a dead letter.
  void Prepare() {
    db_->Query("SELECT fixture.credit(fixture.account_id(1), 5)");
    db_->Execute(
        "UPDATE dead_letter_queue SET resolved_at = now(); DELETE FROM "
        "summa_host.outbox_blocked_key; DELETE FROM summa_host.outbox_waiting; "
        "DELETE FROM summa_host.verification_part; "
        "INSERT INTO outbox (topic, payload) VALUES ('ledger-account-created', "
        "jsonb_build_object('accountId', gen_random_uuid(), 'name', repeat('x', 20000)))");
    row_ = db_->Value(
        "UPDATE outbox SET status = 'failed', last_error = 'refused' WHERE id = (SELECT id FROM "
        "outbox WHERE topic = 'ledger-account-created' AND length(payload::text) < 10000 LIMIT 1) "
        "RETURNING id");
    db_->Query(
        "INSERT INTO dead_letter_queue (outbox_id, topic, payload, error_message, retry_count) "
        "SELECT id, topic, payload, 'refused', 3 FROM outbox WHERE id = $1",
        {row_});
    client_.Command({"XGROUP", "DESTROY", "summa:stream:" + std::string(kStream), "made"});
    client_.Command({"XGROUP", "DESTROY", "summa:stream:" + std::string(kStream), "readers"});
    client_.Command({"XGROUP", "CREATE", "summa:stream:" + std::string(kStream), "readers", "0"});
    if (account_.empty()) account_ = db_->Value("SELECT id FROM account_balance LIMIT 1");
  }
  // Runs it under a name of its own.
  RunResult Use(std::size_t use) {
    Words words = uses_[use];
    for (std::string& word : words) {
      if (word == "ROW") word = row_;
      if (word == "ACCOUNT") word = account_;
    }
    std::string text = Configuration();
    const auto replace = [&](const std::string& what, const std::string& by) {
      text.replace(text.find(what), what.size(), by);
    };
    replace("name: tested", "name: " + NameOf(use));
    replace("outbox: { use: { bus: bus-redis } }",
            "outbox: { use: { bus: bus-redis }, max_retries: 1, retry_base: 1ms }");
    replace("\"" + redis_.Url() + "\"", "\"" + redis_url_ + "\", max_message_bytes: 10KB");
    const TemporaryFile file("summa.yaml", text);
    words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
    return SummaHost(words);
  }
  static std::string NameOf(std::size_t use) { return "use-" + std::to_string(use) + "-"; }

  // With all rights: nothing is refused, whatever else there is to say.
  void UseAll(const std::function<void(std::size_t)>& after = {}) {
    for (std::size_t use = 0; use < uses_.size(); ++use) {
      Prepare();
      const auto begin = std::chrono::steady_clock::now();
      const RunResult run = Use(use);
      took_[use] = std::chrono::steady_clock::now() - begin;
      EXPECT_THAT(run.exit_code, testing::AnyOf(0, 1)) << Joined(uses_[use]) << run.out << run.err;
      EXPECT_THAT(run.out + run.err, Not(HasSubstr("42501"))) << Joined(uses_[use]);
      EXPECT_THAT(run.out + run.err, Not(HasSubstr("NOPERM"))) << Joined(uses_[use]);
      if (after) after(use);
    }
  }
  // One of them, which all need a right that is gone, fails with these words. The quickest first.
  bool SomeRefused(const std::set<std::size_t>& users, const Words& says) {
    std::vector<std::size_t> quickest(users.begin(), users.end());
    std::sort(quickest.begin(), quickest.end(),
              [&](std::size_t a, std::size_t b) { return took_.at(a) < took_.at(b); });
    for (const std::size_t use : quickest) {
      Prepare();
      const RunResult run = Use(use);
      const std::string told = run.out + run.err;
      EXPECT_NE(run.exit_code, 70) << Joined(uses_[use]) << ": " << told;
      const bool named = std::all_of(says.begin(), says.end(), [&](const std::string& word) {
        return told.find(word) != std::string::npos;
      });
      if (run.exit_code != 0 && named) return true;
    }
    return false;
  }

  RedisServer server_{{.append_only = false, .tcp = true, .max_memory = "", .extra_arguments = {}}};
  RedisClient client_{server_.Url()};
  std::string redis_url_ = server_.Url();
  std::vector<Words> uses_;
  std::map<std::size_t, std::chrono::steady_clock::duration> took_;
  std::string row_, account_;
};

TEST_F(EachRight, IsLookedAtWithEveryVerbAndWorkerOfThePluginsAndEveryBusVerb) {
  std::set<std::string> used;
  for (const Words& words : uses_) {
    std::string line = Joined(words);
    std::replace(line.begin(), line.end(), ':', ' ');
    used.insert(line);
  }
  const auto begins = [&](const std::string& name) {
    return std::any_of(used.begin(), used.end(),
                       [&](const std::string& each) { return each.rfind(name, 0) == 0; });
  };
  const auto run = [&](const std::string& worker) {
    return std::any_of(used.begin(), used.end(), [&](const std::string& each) {
      return each.find("--only " + worker) != std::string::npos;
    });
  };
  std::size_t declared = 0;
  for (const char* plugin : {"bus-redis", "outbox", "reconciliation"}) {
    std::ifstream manifest(SourceDir() + "/plugins/" + plugin + "/plugin.yaml");
    for (std::string line; std::getline(manifest, line);) {
      const bool worker = line.rfind("  - id: ", 0) == 0;
      if (!worker && line.rfind("  - verb: ", 0) != 0) continue;
      ++declared;
      const std::string name = line.substr(line.find(": ") + 2);
      EXPECT_TRUE(worker ? run(name) : begins(name)) << name;
    }
  }
  // The host's own for every bus: its verbs have a golden help text each.
  for (const auto& help :
       std::filesystem::directory_iterator(SourceDir() + "/tests/e2e/golden/help")) {
    std::string verb = help.path().stem();
    if (verb.rfind("bus-", 0) != 0) continue;
    ++declared;
    std::replace(verb.begin(), verb.end(), '-', ' ');
    EXPECT_TRUE(begins(verb)) << verb;
  }
  EXPECT_TRUE(run("inbox-cleanup"));
  EXPECT_GT(declared, 25U);
}

class EachTableRight : public EachRight {
 protected:
  // Of every "ok privileges" line of the doctor: "public.outbox: delete, select, update".
  std::vector<TableRight> Listed() {
    std::vector<TableRight> rights;
    const TemporaryFile file("summa.yaml", Configuration());
    std::istringstream lines(SummaHost({"doctor", "-c", file.Path()}).out);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string severity, check, table, right;
      words >> severity >> check >> table;
      if (severity != "ok" || check != "privileges" || table.empty() || table.back() != ':') {
        continue;
      }
      table.pop_back();
      while (words >> right) {
        if (right.back() == ',') right.pop_back();
        std::transform(right.begin(), right.end(), right.begin(), ::toupper);
        rights.emplace_back(right, table);
      }
    }
    return rights;
  }
  void Revoke(const TableRight& right) {
    db_->Execute("REVOKE " + right.first + " ON " + right.second + " FROM background");
  }
  void Grant(const TableRight& right) {
    db_->Execute("GRANT " + right.first + " ON " + right.second + " TO background");
  }

  // Statements of the log that can be planned, each with who has sent it.
  std::map<std::string, std::set<std::size_t>> Statements() {
    std::map<std::string, std::set<std::size_t>> statements;
    const std::string log = Server().Log(), mark = "@background@summa-host/use-";
    for (std::size_t at = log.find(mark); at != std::string::npos; at = log.find(mark, at + 1)) {
      const std::size_t end = log.find("\n@", at), level = log.find("@LOG:  ", at);
      const std::size_t from = level == std::string::npos ? level : log.find(": ", level + 7);
      if (from == std::string::npos || end == std::string::npos || from > end) continue;
      std::string sql = log.substr(from + 2, end - from - 2);
      std::replace(sql.begin(), sql.end(), '\t', ' ');
      const std::size_t to = sql.rfind(") TO STDOUT");
      if (sql.compare(0, 6, "COPY (") == 0 && to != std::string::npos) sql = sql.substr(6, to - 6);
      statements[sql].insert(std::stoul(log.substr(at + mark.size(), 3)));
    }
    return statements;
  }
  struct Plan {
    std::string sql, explain;
    std::set<std::size_t> users;
  };
  // What explains each of them, and so asks for its rights without running it.
  static std::vector<Plan> Plans(Db& role,
                                 const std::map<std::string, std::set<std::size_t>>& statements) {
    std::vector<Plan> plans;
    for (const auto& [sql, users] : statements) {
      const std::string name = "s" + std::to_string(plans.size());
      try {
        role.Query(std::string("PREPARE ").append(name).append(" AS ").append(sql));
      } catch (const DbError&) {
        continue;  // BEGIN, SET and the like
      }
      const auto count = std::stoi(role.Value(
          "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1",
          {name}));
      std::string explain = "EXPLAIN EXECUTE " + name;
      for (int i = 0; i < count; ++i) explain += i == 0 ? "(NULL" : ", NULL";
      if (count > 0) explain += ")";
      plans.push_back({sql, std::move(explain), users});
    }
    return plans;
  }
  // Who sends a statement that the role may not run without a right on this table.
  static std::set<std::size_t> Refused(Db& role, const std::vector<Plan>& plans,
                                       const std::string& table) {
    std::set<std::size_t> refused;
    for (const Plan& plan : plans) {
      // A function of ours reads tables that its caller does not name.
      if (plan.sql.find(table) == std::string::npos &&
          plan.sql.find("summa_host.outbox_") == std::string::npos) {
        continue;
      }
      try {
        role.Execute(plan.explain);
      } catch (const DbError& error) {
        if (error.sqlstate == "42501") refused.insert(plan.users.begin(), plan.users.end());
      }
    }
    return refused;
  }
  // What plugins send in trouble only, and a host that runs for orders of people.
  void AddRare(std::map<std::string, std::set<std::size_t>>& statements) {
    const ledger::EventTable names = ledger::DescribeEvents(ledger::Layout::kDeployed);
    for (const char* plugin : {"outbox", "reconciliation"}) {
      const std::string folder = SourceDir() + "/plugins/" + plugin + "/sql";
      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path());
        std::ostringstream text;
        text << file.rdbuf();
        statements[reconciliation::ForTable(text.str(), names)].insert(kRarely);
      }
    }
  }
  static constexpr std::size_t kRarely = 1000;
};

TEST_F(EachTableRight, IsNamedByTheDoctorWhenItAloneIsMissing) {
  const std::vector<TableRight> listed = Listed();
  ASSERT_GT(listed.size(), 60U);
  // Those of one kind together, one of each table, since a table has a finding of its own.
  for (const std::string kind : {"SELECT", "INSERT", "UPDATE", "DELETE"}) {
    for (const TableRight& right : listed) {
      if (right.first == kind) Revoke(right);
    }
    const std::string doctor = Run({"doctor"}).out;
    for (const TableRight& right : listed) {
      const std::string found =
          "role background may not " + right.first + " on " + right.second + "\"";
      EXPECT_EQ(doctor.find(found) != std::string::npos, right.first == kind)
          << found << " in " << doctor;
      if (right.first == kind) Grant(right);
    }
  }
}

TEST_F(EachTableRight, IsNeededBySomebodyWhoNamesItWhenItIsGone) {
  UseAll();
  Db role(std::string(url_).replace(url_.find("postgres@"), 8, "background"));
  role.Execute("SET row_security = off");
  auto statements = Statements();
  AddRare(statements);
  const std::vector<Plan> plans = Plans(role, statements);
  ASSERT_GT(plans.size(), 150U);
  // Sent by a host that runs and by consumers: see the tests of both.
  const std::set<std::string> elsewhere = {"summa_host.worker_parked", "summa_host.worker_request",
                                           "summa_host.inbox"};
  std::size_t refused = 0;
  for (const TableRight& right : Listed()) {
    Revoke(right);
    const std::string table = right.second.substr(right.second.find('.') + 1);
    std::set<std::size_t> users = Refused(role, plans, table);
    EXPECT_TRUE(!users.empty() || elsewhere.count(right.second) > 0)
        << right.first << " on " << right.second << " is asked for, and nobody needs it";
    users.erase(kRarely);
    if (!users.empty()) {
      ++refused;
      EXPECT_TRUE(SomeRefused(users, {"42501", "SH-0406", table}))
          << right.first << " on " << right.second << ", needed by " << users.size();
    }
    Grant(right);
  }
  EXPECT_GT(refused, 40U);
}

class EachRedisRight : public EachRight {
 protected:
  void SetUp() override {
    EachRight::SetUp();
    redis_url_ = "redis://summa-host:secret@127.0.0.1:" + std::to_string(server_.Port()) + "/0";
    std::ifstream file(SourceDir() + "/plugins/bus-redis/README.md");
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("ACL SETUSER summa-host on ", 0) != 0) continue;
      std::istringstream words(line);
      for (std::string word; words >> word;) {
        rules_.push_back(word == ">PASSWORD" ? ">secret" : word);
      }
      break;
    }
    ASSERT_GT(rules_.size(), 20U);
    client_.Command(rules_);
  }
  void Allow(const std::string& rule) { client_.Command({"ACL", "SETUSER", "summa-host", rule}); }

  // "xinfo|stream" -> who has sent it. A Redis before 7 counts the subcommands together.
  std::map<std::string, std::set<std::size_t>> Senders() {
    std::map<std::string, std::set<std::size_t>> senders;
    client_.Command({"CONFIG", "RESETSTAT"});
    UseAll([&](std::size_t use) {
      const std::string text = client_.Command({"INFO", "commandstats"}).text, mark = "cmdstat_";
      for (std::size_t at = text.find(mark); at != std::string::npos;
           at = text.find(mark, at + 1)) {
        const std::size_t from = at + mark.size();
        senders[text.substr(from, text.find(':', from) - from)].insert(use);
      }
      client_.Command({"CONFIG", "RESETSTAT"});
    });
    return senders;
  }

  std::vector<std::string> rules_;
};

TEST_F(EachRedisRight, IsEnoughForAllAndNamedWhenItAloneIsMissing) {
  const auto senders = Senders();
  std::set<std::string> tried;
  for (const std::string& rule : rules_) {
    if (rule[0] != '+') continue;
    const std::string command = rule.substr(1);
    const auto users = senders.find(command);
    // Without a name a connection is as good.
    if (users == senders.end() || command == "client|setname") continue;
    Allow("-" + command);
    const std::string word = command.substr(0, command.find('|'));
    EXPECT_TRUE(SomeRefused(users->second, {"NOPERM", word})) << command;
    Allow(rule);
    tried.insert(command);
  }
  for (const char* command :
       {"xadd", "multi", "exec", "scan", "xlen", "xrange", "xrevrange", "xinfo|stream",
        "xinfo|groups", "xgroup|create", "xgroup|setid", "xgroup|destroy", "time", "ping"}) {
    EXPECT_EQ(tried.count(command), 1U) << command << " was sent by nobody";
  }
  std::set<std::size_t> all;
  for (std::size_t use = 0; use < uses_.size(); ++use) all.insert(use);
  for (const char* keys : {"~other:*", "~summa:dlq:*"}) {
    client_.Command({"ACL", "SETUSER", "summa-host", "resetkeys", keys});
    EXPECT_TRUE(SomeRefused(all, {"NOPERM"})) << keys;
  }
}

}  // namespace
}  // namespace summa::test
