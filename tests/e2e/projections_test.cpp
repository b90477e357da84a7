// The projections with the real program: verbs, routes, OpenAPI, and a read model of another
// plugin.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/e2e/restricted_role.hpp"
#include "tests/e2e/summa_host.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

class Projections : public RestrictedRole {
 protected:
  void SetUp() override {
    Install();
    const TemporaryFile owner("summa.yaml", Configuration("postgres", Plugins()));
    const RunResult migrated = Host({"migrate", "-c", owner.Path()});
    ASSERT_EQ(migrated.exit_code, 0) << migrated.err;
    db_->Execute(
        "GRANT USAGE, CREATE ON SCHEMA summa_read TO background; GRANT SELECT, INSERT, "
        "UPDATE, DELETE ON ALL TABLES IN SCHEMA summa_read TO background");
    file_ = std::make_unique<TemporaryFile>("summa.yaml", Configuration("background", Plugins()));
  }
  static std::string Plugins() { return "  projections: {}\n  regular-credits: {}\n"; }
  static std::map<std::string, std::string> Environment() {
    return {{"SUMMA_PLUGIN_PATH",
             BinaryDir() + "/tests/example:" + BinaryDir() + "/lib/summa/plugins"}};
  }
  static RunResult Host(std::vector<std::string> words) {
    return SummaHost(std::move(words), Environment());
  }
  RunResult Ask(std::vector<std::string> words) {
    words.insert(words.end(), {"-c", file_->Path(), "--output", "json"});
    return Host(std::move(words));
  }
  // From now on with these settings of the plugin.
  void Use(const std::string& settings) {
    file_ = std::make_unique<TemporaryFile>(
        "summa.yaml", Configuration("background", "  projections: { " + settings +
                                                      " }\n  regular-credits: "
                                                      "{}\n"));
  }
  std::string Account(int number) {
    return db_->Value("SELECT fixture.account_id(" + std::to_string(number) + ")");
  }

  std::unique_ptr<TemporaryFile> file_;
};

TEST_F(Projections, RunOnceUnderTheDocumentedRightsAndAreListed) {
  const RunResult run = Ask({"run", "--once"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const RunResult list = Ask({"projections", "list"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  for (const char* id : {"account-balance-view", "entry-record-view", "transaction-summary-view",
                         "holder-dashboard-view", "regular-credits"}) {
    EXPECT_THAT(list.out, HasSubstr("\"id\":\"" + std::string(id) +
                                    "\",\"version\":1,\"state\":"
                                    "\"running\""));
  }
  EXPECT_THAT(list.out, HasSubstr("\"lagEvents\":0"));
  const RunResult verified = Ask({"projections", "verify", "account-balance"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(JsonMember(verified.out, "rows"), "5");
  EXPECT_EQ(JsonMember(verified.out, "differences"), "0");
}

TEST_F(Projections, AReadModelOfAnotherPluginIsKeptAndRebuilt) {
  db_->Execute("SELECT fixture.credit(fixture.account_id(1), 60, 'r1', 'salary')");
  ASSERT_EQ(Ask({"run", "--once"}).exit_code, 0);
  const std::string sums =
      "SELECT string_agg(credits || ' ' || amount, ', ' ORDER BY category) FROM "
      "summa_read.regular_credits WHERE holder_id = 'holder_000001'";
  EXPECT_EQ(db_->Value(sums), "1 1000000, 1 60");
  db_->Execute("UPDATE summa_read.regular_credits_1 SET amount = 0");
  const RunResult begun = Ask({"projections", "rebuild", "regular-credits", "--detach"});
  ASSERT_EQ(begun.exit_code, 0) << begun.out << begun.err;
  WaitUntil(
      [&] {
        EXPECT_EQ(Ask({"run", "--once"}).exit_code, 0);
        return db_->Count("SELECT count(*) FROM summa_host.operation WHERE finished_at IS NULL") ==
               0;
      },
      kTimeout, "the rebuild");
  EXPECT_EQ(db_->Value(sums), "1 1000000, 1 60");
}

TEST_F(Projections, AReadModelOfAnotherPluginFailsAlone) {
  ASSERT_EQ(Ask({"run", "--once"}).exit_code, 0);
  db_->Execute("ALTER TABLE summa_read.regular_credits_1 RENAME COLUMN credits TO number");
  db_->Execute("SELECT fixture.credit(fixture.account_id(1), 60, 'r1', 'salary')");
  ASSERT_EQ(Ask({"run", "--once"}).exit_code, 0);
  const RunResult list = Ask({"projections", "list"});
  EXPECT_THAT(list.out, HasSubstr("\"id\":\"regular-credits\",\"version\":1,\"state\":\"failed\""));
  for (const char* id :
       {"account-balance", "entry-record", "transaction-summary", "holder-dashboard"}) {
    const RunResult verified = Ask({"projections", "verify", id});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    EXPECT_EQ(JsonMember(verified.out, "inFlight"), "0") << id;
  }
  db_->Execute("ALTER TABLE summa_read.regular_credits_1 RENAME COLUMN number TO credits");
  EXPECT_EQ(Ask({"projections", "resume", "regular-credits"}).exit_code, 0);
  ASSERT_EQ(Ask({"run", "--once"}).exit_code, 0);
  EXPECT_EQ(db_->Value("SELECT amount FROM summa_read.regular_credits WHERE holder_id = "
                       "'holder_000001' AND category = 'salary'"),
            "60");
}

TEST_F(Projections, APhaseIsLeftOnlyWhenAnswersAreTheSame) {
  Use("phase: shadow-read");
  const std::string balance = "/v1/accounts/" + Account(2) + "/balance";
  const std::string differences =
      "SELECT count(*) FROM summa_read.projection_difference WHERE "
      "kind = 'different' AND projection = 'account-balance-view'";
  {
    RunningHost host({"-c", file_->Path()}, Environment());
    WaitUntil([&] { return HttpGet(host.Port(), balance).status == 200; }, kTimeout, "an answer");
    WaitUntil(
        [&] {
          return Ask({"projections", "verify", "account-balance"}).exit_code == 0;
        },
        kTimeout, "the read model");
    EXPECT_EQ(db_->Count(differences), 0);
    db_->Execute(
        "UPDATE summa_read.account_balance_view_1 SET balance = 7 WHERE id = "
        "fixture.account_id(2)");
    const Answer answer = HttpGet(host.Port(), balance);
    EXPECT_THAT(answer.body, HasSubstr("\"balance\" : 1000000"));
    EXPECT_EQ(JsonMember(answer.body, "source"), "ledger");
    EXPECT_EQ(db_->Count(differences), 1);
  }
  Use("phase: cutover");
  RunningHost host({"-c", file_->Path()}, Environment());
  const auto source = [&] { return JsonMember(HttpGet(host.Port(), balance).body, "source"); };
  WaitUntil([&] { return source().has_value(); }, kTimeout, "an answer");
  EXPECT_EQ(source(), "ledger") << "it is not moved to what was wrong within the last hour";
  EXPECT_THAT(Ask({"projections", "status", "account-balance"}).out,
              HasSubstr("\"kind\":\"different\",\"count\":"));
  const RunResult rebuilt = Ask({"projections", "rebuild", "account-balance", "--key", Account(2)});
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.err;
  EXPECT_EQ(JsonMember(rebuilt.out, "keys"), "1");
  EXPECT_EQ(Ask({"projections", "verify", "account-balance"}).exit_code, 0);
  EXPECT_EQ(db_->Count(differences), 0);
  WaitUntil([&] { return source() == "projection"; }, kTimeout, "the read model to answer");
}

// The text of a member, from there on; none: it is null, or there is none.
std::optional<std::string> TextAfter(const std::string& json, const std::string& member,
                                     std::size_t& at) {
  const std::string begin = "\"" + member + "\" : \"";
  const std::size_t found = json.find(begin, at);
  if (found == std::string::npos) return std::nullopt;
  const std::size_t from = found + begin.size();
  at = json.find('"', from);
  return json.substr(from, at - from);
}

// The ids of all entries, page by page, the newest first.
std::vector<std::string> Pages(int port, const std::string& path, int* pages) {
  std::vector<std::string> ids;
  std::optional<std::string> cursor;
  do {
    const Answer page = HttpGet(port, path + (cursor ? "&cursor=" + *cursor : ""));
    if (page.status != 200) throw std::runtime_error(page.body);
    ++*pages;
    std::size_t at = 0;
    while (const auto id = TextAfter(page.body, "id", at)) ids.push_back(*id);
    at = 0;
    cursor = TextAfter(page.body, "nextCursor", at);
  } while (cursor);
  return ids;
}

TEST_F(Projections, PagesHaveEachEntryOnceInTheOrderOfTheLedgerWhileItIsWrittenTo) {
  RunningHost host({"-c", file_->Path()}, Environment());
  TrafficGenerator traffic(url_, {.connections = 3, .accounts = 5, .rate = 80});
  traffic.Start();
  WaitUntil([&] { return traffic.Committed() >= 200; }, kTimeout, "traffic");
  const std::string head = db_->Value("SELECT max(sequence_number) FROM ledger_event");
  ASSERT_EQ(Ask({"projections", "wait", "entry-record", "--for", head}).exit_code, 0);
  for (const std::string consistency : {"eventual", "strong"}) {
    for (int account = 1; account <= 3; ++account) {
      const long long before = traffic.Committed();
      int pages = 0;
      const std::vector<std::string> shown =
          Pages(host.Port(),
                "/v1/accounts/" + Account(account) + "/entries?limit=5&consistency=" + consistency,
                &pages);
      const std::vector<std::string> all =
          db_->Column("SELECT id FROM entry_record WHERE account_id = fixture.account_id(" +
                      std::to_string(account) + ") ORDER BY account_lock_version DESC, id DESC");
      EXPECT_GT(pages, 3);
      ASSERT_FALSE(shown.empty());
      // What came after the first page was read is not in it.
      const auto newest = std::find(all.begin(), all.end(), shown.front());
      EXPECT_EQ(shown, std::vector<std::string>(newest, all.end()))
          << consistency << " " << account;
      WaitUntil([&] { return traffic.Committed() > before; }, kTimeout, "traffic");
    }
  }
  traffic.Stop();
  EXPECT_EQ(traffic.Failed(), 0) << traffic.LastError();
}

TEST_F(Projections, AnAccountAndAHolderAreShownOnATerminal) {
  db_->Execute("SELECT fixture.credit(fixture.account_id(2), 42, 'later', 'gift')");
  ASSERT_EQ(Ask({"run", "--once"}).exit_code, 0);
  const RunResult account =
      Host({"projections", "show", "account", Account(2), "-c", file_->Path()});
  EXPECT_EQ(account.exit_code, 0) << account.err;
  for (const char* shown : {"1000042", "later", "opening_2", "holder_000002"}) {
    EXPECT_THAT(account.out, HasSubstr(shown));
  }
  std::istringstream lines(account.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  const RunResult holder =
      Host({"projections", "show", "holder", "individual", "holder_000002", "-c", file_->Path()});
  EXPECT_EQ(holder.exit_code, 0) << holder.err;
  EXPECT_THAT(holder.out, HasSubstr("1000042"));
  EXPECT_EQ(Ask({"projections", "show", "holder", "individual", "nobody"}).exit_code, 66);
  EXPECT_EQ(Ask({"projections", "show", "account", "nobody"}).exit_code, 64);
}

TEST_F(Projections, ALostRedisHoldsUpNothing) {
  Use("use: { bus: bus-redis }, source: bus, streams: [ledger]");
  RunningHost host({"-c", file_->Path()}, Environment());
  const std::string balance = "/v1/accounts/" + Account(2) + "/balance";
  WaitUntil([&] { return HttpGet(host.Port(), balance).status == 200; }, kTimeout, "an answer");
  long long amount = 1000000;
  const auto expect_next = [&] {
    db_->Execute("SELECT fixture.credit(fixture.account_id(2), 7)");
    amount += 7;
    const auto shown = [&] {
      const Answer answer = HttpGet(host.Port(), balance);
      return JsonMember(answer.body, "source") == "projection" &&
             answer.body.find("\"balance\" : " + std::to_string(amount)) != std::string::npos;
    };
    WaitUntil(shown, kTimeout, "the credit");
  };
  expect_next();
  redis_.KillNine();
  for (int i = 0; i < 3; ++i) expect_next();
  redis_.Start();  // with nothing in it
  for (int i = 0; i < 3; ++i) expect_next();
  EXPECT_EQ(Ask({"projections", "verify", "account-balance"}).exit_code, 0);
}

TEST_F(Projections, RoutesAnswerFromTheReadModelAndFromTheLedger) {
  Use("use: { bus: bus-redis }, source: bus, streams: [ledger]");  // which wakes it
  RunningHost host({"-c", file_->Path()}, Environment());
  const int port = host.Port();
  const std::string balance = "/v1/accounts/" + Account(2) + "/balance";
  WaitUntil([&] { return HttpGet(port, balance).status == 200; }, kTimeout, "the read model");
  db_->Execute("SELECT fixture.credit(fixture.account_id(2), 42, 'later', 'gift')");
  const std::string position = db_->Value("SELECT max(sequence_number) FROM ledger_event");
  const Answer at = HttpGet(port, balance + "?consistency=" + position);
  EXPECT_EQ(at.status, 200) << at.body;
  EXPECT_THAT(at.body, HasSubstr("\"balance\" : 1000042"));
  EXPECT_EQ(JsonMember(at.body, "source"), "projection");
  const std::string event =
      db_->Value("SELECT id FROM ledger_event WHERE sequence_number = " + position);
  const Answer of_event = HttpGet(port, balance + "?consistency=" + event);
  EXPECT_EQ(JsonMember(of_event.body, "source"), "projection") << of_event.body;
  EXPECT_EQ(
      JsonMember(Ask({"projections", "wait", "account-balance", "--for", event}).out, "position"),
      position);
  EXPECT_EQ(Ask({"projections", "wait", "account-balance", "--for", Account(1)}).exit_code, 66);
  EXPECT_EQ(Ask({"projections", "wait", "account-balance", "--for", "soon"}).exit_code, 64);
  const Answer strong = HttpGet(port, balance + "?consistency=strong");
  EXPECT_THAT(strong.body, HasSubstr("\"balance\" : 1000042"));
  EXPECT_EQ(JsonMember(strong.body, "source"), "ledger");

  const std::string entries = "/v1/accounts/" + Account(2) + "/entries?limit=1";
  for (const char* consistency : {"", "&consistency=strong"}) {
    const Answer first = HttpGet(port, entries + consistency);
    EXPECT_THAT(first.body, HasSubstr("\"reference\" : \"later\""));
    const std::size_t at_cursor = first.body.find("\"nextCursor\" : \"") + 16;
    const std::string cursor =
        first.body.substr(at_cursor, first.body.find('"', at_cursor) - at_cursor);
    const Answer second = HttpGet(port, entries + consistency + "&cursor=" + cursor);
    EXPECT_THAT(second.body, HasSubstr("\"reference\" : \"opening_2\"")) << cursor;
  }
  const std::string transaction =
      db_->Value("SELECT id FROM transaction_record WHERE reference = 'later'");
  EXPECT_THAT(HttpGet(port, "/v1/transactions/" + transaction).body,
              HasSubstr("\"type\" : \"credit\""));
  EXPECT_THAT(HttpGet(port, "/v1/holders/individual/holder_000002/dashboard").body,
              HasSubstr("\"transactions\" : 2"));
  EXPECT_EQ(HttpGet(port, "/v1/accounts/" + transaction + "/balance").status, 404);
  EXPECT_EQ(HttpGet(port, "/v1/accounts/nobody/balance").status, 400);
  EXPECT_THAT(HttpGet(port, "/openapi.json").body, HasSubstr("/v1/accounts/{id}/balance"));
  EXPECT_THAT(HttpGet(port, "/v1/browse").body, HasSubstr("<!doctype html>"));
}

}  // namespace
}  // namespace summa::test
