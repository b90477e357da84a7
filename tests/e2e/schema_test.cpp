// A plugin that has tables and nothing else: the verbs, the start and the doctor know its steps, in
// the ledger's database and in one of read models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Schema : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(PostgresOptions{}); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    name_ = "ledger_" + std::to_string(++databases_);
    url_ = InstallLedger(*server_, name_);
    Configure("");
  }
  void Configure(const std::string& more) {
    file_.emplace("summa.yaml", "database: { ledger: { url: \"" + url_ + "\" }" + more +
                                    " }\nhost: { listen: \"127.0.0.1:0\" }\n"
                                    "plugins: { keeper: {} }\n");
  }
  RunResult Host(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(),
                     {"-c", file_->Path(), "--plugin-dir", PluginDirectory("keeper")});
    return SummaHost(std::move(arguments));
  }
  void ExpectRefused(const std::string& code, const std::string& step) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"run", "--once"}, {"migrate"}, {"migrate", "--dry-run"}}) {
      const RunResult refused = Host(words);
      EXPECT_EQ(refused.exit_code, 78) << words[0] << refused.out << refused.err;
      EXPECT_THAT(refused.err, HasSubstr(code)) << words[0];
      EXPECT_THAT(refused.err, HasSubstr(step)) << words[0];
    }
    const RunResult doctor = Host({"doctor", "--output", "json"});
    EXPECT_EQ(doctor.exit_code, 1);
    EXPECT_THAT(doctor.out, HasSubstr(code));
    EXPECT_THAT(doctor.out, HasSubstr(step));
  }

  static inline PostgresServer* server_ = nullptr;
  static inline int databases_ = 0;
  std::string name_, url_;
  std::optional<TemporaryFile> file_;
};

TEST_F(Schema, IsMissingUntilItIsMigratedAndEveryoneSaysSo) {
  const RunResult refused = Host({"run", "--once"});
  EXPECT_EQ(refused.exit_code, 78);
  EXPECT_THAT(refused.err, HasSubstr("SH-0412"));
  EXPECT_THAT(refused.err, HasSubstr("keeper 1 page, keeper 2 line, keeper read 1 index"));
  EXPECT_THAT(Host({"doctor"}).out, HasSubstr("keeper 1 page, keeper 2 line, keeper read 1 index"));
  const RunResult dry = Host({"migrate", "--dry-run"});
  EXPECT_THAT(dry.out, HasSubstr("would apply keeper 2 line\nwould apply keeper read 1 index\n"));
  Db db(url_);
  EXPECT_EQ(db.Count("SELECT count(*) FROM pg_namespace WHERE nspname IN ('keeper', 'summa_host')"),
            0);

  const RunResult migrated = Host({"migrate", "--output", "json"});
  EXPECT_EQ(migrated.exit_code, 0) << migrated.err;
  EXPECT_THAT(migrated.out,
              HasSubstr(R"({"plugin":"keeper","database":"read","version":1,"name":"index"})"));
  EXPECT_EQ(Host({"migrate"}).out, "already up to date\n");
  EXPECT_EQ(
      db.Value("SELECT string_agg(release, ' ') FROM summa_host.schema_migration WHERE plugin "
               "= 'keeper'"),
      "1.2.0 1.2.0 1.2.0");
  const RunResult run = Host({"run", "--once"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("plugin runs plugin=keeper"));
  EXPECT_THAT(Host({"doctor"}).out, Not(HasSubstr("missing: ")));
}

TEST_F(Schema, IsAppliedAtTheStartWhenTheConfigurationSaysSo) {
  Configure(", migrate: auto");
  const RunResult run = Host({"run", "--once"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr(", keeper 1 page, keeper 2 line, keeper read 1 index\""));
}

TEST_F(Schema, OfReadModelsGoesToTheirDatabase) {
  const std::string read = server_->CreateDatabase(name_ + "_read");
  Configure(", read: { url: \"" + read + "\" }");
  EXPECT_THAT(Host({"doctor"}).out, HasSubstr("missing: keeper read 1 index"));
  const RunResult migrated = Host({"migrate"});
  EXPECT_EQ(migrated.exit_code, 0) << migrated.err;
  EXPECT_THAT(migrated.out, HasSubstr("applied keeper read 1 index\n"));
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM pg_class WHERE relname = 'keeper_index'"), 0);
  EXPECT_EQ(Db(read).Value("SELECT string_agg(plugin || ' ' || name, ',') FROM "
                           "summa_host.schema_migration"),
            "keeper index")
      << "no step of the ledger, none of the host";
  EXPECT_EQ(Host({"run", "--once"}).exit_code, 0);
  EXPECT_THAT(Host({"doctor"}).out, HasSubstr("1 of 1"));
}

TEST_F(Schema, ThatWasChangedOrIsLaterIsRefused) {
  ASSERT_EQ(Host({"migrate"}).exit_code, 0);
  Db db(url_);
  db.Execute("UPDATE summa_host.schema_migration SET checksum = 'another' WHERE name = 'line'");
  ExpectRefused("SH-0435", "keeper 2 line");
  db.Execute("UPDATE summa_host.schema_migration SET checksum = NULL WHERE name = 'line'");
  EXPECT_EQ(Host({"run", "--once"}).exit_code, 0) << "nobody knows what was applied";
  db.Execute(
      "INSERT INTO summa_host.schema_migration (plugin, database, version, name, release) VALUES "
      "('keeper', 'ledger', 3, 'word', '1.3.0')");
  ExpectRefused("SH-0436", "keeper 3 word of release 1.3.0");
}

TEST_F(Schema, IsShownByInspect) {
  const RunResult shown = SummaHost(
      {"plugins", "inspect", PluginDirectory("keeper") + "/keeper.so", "--output", "json"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr(R"("schema":["schema/ledger/001_page.sql",)"));
}

}  // namespace
}  // namespace summa::test
