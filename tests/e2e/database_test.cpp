// The real program on databases that differ from ours: hostile defaults, a standby, a synchronous
// standby that is gone, a URL of another driver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/hostile_defaults.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Configuration(const std::string& url, const std::string& redis,
                          const std::string& prefix) {
  return "database: { ledger: { url: \"" + url +
         "\" } }\nhost: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n  bus-redis: { url: "
         "\"" +
         redis + "\", key_prefix: " + prefix +
         " }\n  outbox: { use: { bus: bus-redis } }\n  reconciliation: {}\n";
}

// Without what differs from run to run: numbers, times, ids, names.
std::string Comparable(const std::string& text) {
  static const std::regex id(
      "[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32,}|tested/[0-9a-f/]+|/tmp/[^ \"]*");
  static const std::regex number("[0-9][0-9.:TZ+,/-]*"), blanks(" +");
  static const std::regex name("(plain|hostile)(_user)?");
  std::string out = std::regex_replace(std::regex_replace(text, id, "ID"), name, "NAME");
  out = std::regex_replace(out, number, "#");
  return std::regex_replace(out, blanks, " ");
}

// One ledger; the other is a copy of it.
TEST(HostileDefaults, EveryVerbFindsWhatItFindsUnderOrdinaryOnes) {
  PostgresServer server;
  RedisServer redis;
  EnsureAccounts(InstallLedger(server, "plain"), 10);
  server.CreateDatabase("hostile", "plain");
  Db admin(server.Url("postgres"));
  admin.Execute("CREATE ROLE plain_user LOGIN SUPERUSER; CREATE ROLE hostile_user LOGIN SUPERUSER");
  MakeDefaultsHostile(admin, "hostile", "hostile_user");
  const auto run = [&](const std::string& which, std::vector<std::string> words) {
    std::string url = server.Url(which);
    url.replace(url.find("postgres@"), 8, which + "_user");
    const TemporaryFile file("summa.yaml", Configuration(url, redis.Url(), which));
    words.insert(words.end(), {"-c", file.Path()});
    return SummaHost(words);
  };
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"doctor", "--output", "json"},
                                             {"migrate", "--output", "json"},
                                             {"run", "--once"},
                                             {"outbox", "status", "--output", "json"},
                                             {"verify", "all", "--full", "--output", "json"},
                                             {"reconcile", "--output", "json"},
                                             {"outbox", "verify", "--output", "json"},
                                             {"workers", "list", "--output", "json"},
                                             {"doctor", "--output", "json"}}) {
    RunResult plain, hostile;
    const auto same = [&] {
      plain = run("plain", words), hostile = run("hostile", words);
      return plain.exit_code == hostile.exit_code &&
             Comparable(plain.out) == Comparable(hostile.out);
    };
    // doctor changes nothing, and an answer of Redis that is slow once is a finding of one run.
    if (!same() && words[0] == "doctor") BecomesTrue(same);
    EXPECT_EQ(plain.exit_code, hostile.exit_code) << words[0] << ": " << plain.err << "\n"
                                                  << hostile.out << hostile.err;
    EXPECT_EQ(Comparable(plain.out), Comparable(hostile.out)) << words[0] << hostile.err;
  }
  const auto facts = [&](const std::string& which) {
    return Db(server.Url(which))
        .Query(
            "SELECT (SELECT count(*) FROM public.outbox WHERE status = 'processed'), "
            "(SELECT count(*) FROM public.outbox), (SELECT count(*) FROM "
            "summa_host.schema_migration), "
            "(SELECT string_agg(status, ',') FROM public.reconciliation_result)");
  };
  EXPECT_EQ(facts("plain"), facts("hostile"));
  EXPECT_EQ(facts("plain")[0][0], facts("plain")[0][1]) << "all delivered";
}

class Replicas : public testing::Test {
 protected:
  Replicas() {
    PostgresOptions options;
    options.tcp = true;
    // What the templates of the tests switch off would leave nothing to wait for.
    options.settings = {{"synchronous_commit", "on"}};
    primary_ = std::make_unique<PostgresServer>(options);
    EnsureAccounts(InstallLedger(*primary_, "ledger"), 3);
    const TemporaryFile file("summa.yaml", Text(primary_->Url("ledger")));
    if (SummaHost({"migrate", "-c", file.Path()}).exit_code != 0)
      throw std::runtime_error("migrate");
    options.standby_of = primary_.get();
    standby_ = std::make_unique<PostgresServer>(options);
  }
  std::string Text(const std::string& url) const { return Configuration(url, redis_.Url(), "r"); }

  RedisServer redis_;
  std::unique_ptr<PostgresServer> primary_, standby_;
};

TEST_F(Replicas, AStandbyAloneIsAnOutageAndBesideAPrimaryItIsPassedOver) {
  const TemporaryFile alone("summa.yaml", Text(standby_->TcpUrl("ledger")));
  const RunResult run = SummaHost({"run", "--once", "--wait", "1s", "-c", alone.Path()});
  EXPECT_EQ(run.exit_code, 69) << run.err;
  EXPECT_THAT(run.err, HasSubstr("SH-0423"));
  EXPECT_THAT(run.err, HasSubstr("standby"));
  const RunResult looked = SummaHost({"doctor", "-c", alone.Path()});
  EXPECT_EQ(looked.exit_code, 69) << looked.out;
  EXPECT_THAT(looked.out, HasSubstr("SH-0423"));

  const std::string both = "postgresql://postgres@127.0.0.1:" + std::to_string(standby_->Port()) +
                           ",127.0.0.1:" + std::to_string(primary_->Port()) + "/ledger";
  const TemporaryFile file("summa.yaml", Text(both));
  const RunResult good =
      SummaHost({"run", "--once", "--only", "outbox-processor", "-c", file.Path()});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(
      Db(primary_->Url("ledger")).Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"),
      0);
  EXPECT_THAT(SummaHost({"doctor", "-c", file.Path()}).out,
              HasSubstr("primary 127.0.0.1:" + std::to_string(primary_->Port())));
}

TEST_F(Replicas, ASynchronousStandbyThatIsGoneIsNamed) {
  const TemporaryFile file("summa.yaml", Text(primary_->Url("ledger")));
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  standby_->StopFast();
  Db admin(primary_->Url("postgres"));
  admin.Execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
  admin.Execute("SELECT pg_reload_conf()");
  std::string body;
  EXPECT_TRUE(BecomesTrue([&] {
    body = HttpGet(host.Port(), "/readyz").body;
    return body.find("SH-0425") != std::string::npos;
  })) << body;
  EXPECT_THAT(body, HasSubstr("synchronous_standby_names"));
  EXPECT_THAT(body, HasSubstr("0 standbys are connected"));
  admin.Execute("ALTER SYSTEM RESET synchronous_standby_names");
  admin.Execute("SELECT pg_reload_conf()");
  EXPECT_TRUE(BecomesTrue([&] { return HttpGet(host.Port(), "/readyz").status == 200; }))
      << HttpGet(host.Port(), "/readyz").body;
}

TEST(UrlOfAnotherDriver, IsRefusedOfflineByEveryVerb) {
  for (const auto& [url, code] :
       {std::pair("postgresql://me:s3cret@nowhere.invalid/d?schema=public", "SH-0226"),
        std::pair("postgresql://me:s3cret@nowhere.invalid/d?pgbouncer=true", "SH-0226"),
        std::pair("postgresql://me:s3cret@nowhere.invalid/d?sslmode=no-verify", "SH-0227"),
        std::pair("postgresql://me:s3cret@nowhere.invalid:37067x/d", "SH-0227"),
        std::pair("postgresql://me:s3cret@nowhere.invalid/d?target_session_attrs=standby",
                  "SH-0229")}) {
    const TemporaryFile file("summa.yaml", Configuration(url, "redis://127.0.0.1:1/0", "r"));
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"config", "check"},
                                               {"doctor"},
                                               {"migrate"},
                                               {"workers", "list"},
                                               {"run", "--once"}}) {
      std::vector<std::string> all = words;
      all.insert(all.end(), {"-c", file.Path()});
      const RunResult run = SummaHost(all);
      EXPECT_EQ(run.exit_code, 78) << words[0] << run.out << run.err;
      EXPECT_THAT(run.err, HasSubstr(code)) << words[0];
      EXPECT_THAT(run.err + run.out, Not(HasSubstr("s3cret")));
      EXPECT_THAT(run.err, HasSubstr("summa.yaml:1")) << "where it stands";
    }
  }
  const TemporaryFile file("summa.yaml", Configuration("postgresql://me@h/d", "redis://h/0", "r"));
  const RunResult run = SummaHost({"config", "check", "-c", file.Path()}, {{"PGPORT", "abc"}});
  EXPECT_EQ(run.exit_code, 78);
  EXPECT_THAT(run.err, HasSubstr("PGPORT"));
}

}  // namespace
}  // namespace summa::test
