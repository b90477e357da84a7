// `summa-host plugins verify`: finds what is wrong with every plugin of this folder, and nothing
// that is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <summa/parallel.hpp>
#include <utility>
#include <vector>

#include "tests/broken-plugins/plugin_files.hpp"
#include "tests/e2e/summa_host.hpp"

namespace summa::test {
namespace {

using host::test::PluginPath;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct Verified {
  int exit_code = 0;
  std::string verdict;
  std::vector<std::string> failed, unable;  // "check: what was found"
  std::string output;                       // everything, for people
};

std::string Text(simdjson::ondemand::object& object, const char* name) {
  const std::string_view text = object[name].get_string();
  return std::string(text);
}

// A short deadline: what hangs is found whenever it ends, and nothing else waits for it.
Verified Verify(const std::string& path, const std::string& deadline = "3s",
                const std::string& config = "") {
  std::vector<std::string> arguments = {"plugins", "verify",   path,  "--deadline",
                                        deadline,  "--output", "json"};
  if (!config.empty()) arguments.insert(arguments.end(), {"-c", config});
  const RunResult run = SummaHost(arguments);
  Verified verified;
  verified.exit_code = run.exit_code;
  verified.output = run.out + run.err;
  verified.verdict = JsonMember(run.out, "verdict").value_or("none");
  const simdjson::padded_string json(run.out);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document = parser.iterate(json);
  simdjson::ondemand::array checks;
  if (document["checks"].get_array().get(checks) != simdjson::SUCCESS) return verified;
  for (simdjson::ondemand::object check : checks) {
    const std::string name = Text(check, "check");
    const std::string outcome = Text(check, "outcome");
    if (outcome == "failed") verified.failed.push_back(name + ": " + Text(check, "found"));
    if (outcome == "unable") verified.unable.push_back(name + ": " + Text(check, "found"));
  }
  return verified;
}

// The plugin of its folder is found to be wrong, with this text in one finding.
void ExpectFound(const std::string& name, const std::string& text) {
  const Verified verified = Verify(PluginPath(name, name));
  EXPECT_EQ(verified.exit_code, 1) << name << ": " << verified.output;
  EXPECT_EQ(verified.verdict, "failed") << name;
  EXPECT_THAT(verified.failed, Contains(HasSubstr(text))) << name << ": " << verified.output;
}

// A sanitizer ends the process in its own way before the signal comes.
#ifdef SUMMA_SANITIZED
constexpr const char* kAbort = "ended the process ";
constexpr const char* kNullPointer = "create: destroy(): ended the process ";
#else
constexpr const char* kAbort = "ended the process by signal 6";
constexpr const char* kNullPointer = "create: destroy(): ended the process by signal 11";
#endif

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Verification mostly waits for deadlines, so many go on at the same time.
void ForEach(const Pairs& pairs,
             const std::function<void(const std::string&, const std::string&)>& check) {
  constexpr int kAtOnce = 6;
  InParallel(pairs.size(), kAtOnce, [&](std::size_t i) { check(pairs[i].first, pairs[i].second); });
}

TEST(Verify, FindsNothingInGoodPlugins) {
  for (const char* name : {"good", "keeper"}) {
    const Verified verified = Verify(PluginPath(name, name), "120s");
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
    EXPECT_EQ(verified.verdict, "passed") << verified.output;
  }
}

// Without their servers, they cannot all be called completely.
TEST(Verify, FindsNothingInThePluginsOfTheProject) {
  std::size_t plugins = 0;
  for (const auto& file : std::filesystem::directory_iterator(BinaryDir() + "/lib/summa/plugins")) {
    if (file.path().extension() != ".so") continue;
    const Verified verified = Verify(file.path().string(), "120s");
    EXPECT_THAT(verified.failed, IsEmpty()) << file.path() << ": " << verified.output;
    ++plugins;
  }
  EXPECT_GE(plugins, 6u);
}

TEST(Verify, FindsWhatIsWrongWithAFileWithoutCallingIt) {
  ExpectFound("no-manifest", "file: SH-0104 ");
  ExpectFound("newer-abi", "file: SH-0105 ");
  ExpectFound("other-major", "file: SH-0106 ");
  ExpectFound("bad-manifest", "file: SH-0115 ");
  ExpectFound("no-symbol", "file: SH-0122 ");
  ExpectFound("second-symbol", "symbols: it exports ");
  ExpectFound("second-symbol", "example_json_parse");
  if (std::filesystem::exists(PluginPath("sanitized", "sanitized"))) {
    ExpectFound("sanitized", "file: SH-0125 ");
  }
}

TEST(Verify, FindsServicesThatNoInstalledPluginProvides) {
  ExpectFound("missing-service", "services: SH-0108 ");
  for (const char* name : {"ring-a", "ring-b", "ring-c"}) {
    const Verified verified = Verify(PluginPath("ring", name));
    EXPECT_THAT(verified.failed, Contains(HasSubstr("services: SH-0109 "))) << verified.output;
  }
}

TEST(Verify, FindsWhatAHostFindsWhenItLoadsAPlugin) {
  ForEach({{"missing-library",
            "load: SH-0110 missing-library.so could not be loaded: "
            "libsumma-gone-one.so, libsumma-gone-two.so"},
           {"lying-descriptor", "load: SH-0122 "},
           {"silent-create", "load: SH-0111 "},
           {"no-table", "load: SH-0122 "},
           {"no-worker", "load: SH-0123 "},
           {"undeclared-worker", "load: SH-0123 "},
           {"unbound", "load: SH-0123 "},
           {"half-bus", "load: SH-0123 "},
           {"half-routes", "load: SH-0123 "},
           {"no-routes", "load: SH-0123 "},
           {"no-service", "load: SH-0123 "},
           {"rival-routes", "load: SH-0123 "}},
          ExpectFound);
}

TEST(Verify, FindsWhatCallsOfTheOlderBrokenPluginsDo) {
  ForEach({{"throws-across", "start(): threw an exception across the boundary: no such row"},
           {"throws-in-worker", "reported a defect: row 7 is odd"},
           {"chatty", "logged 100 lines"},
           {"raw-routes", "threw an exception across the boundary"},
           {"routes", "the route \"GET /v1/test/hangs\": has not returned"}},
          ExpectFound);
}

// What they need is away: nothing is wrong, and not everything could be looked at.
TEST(Verify, SaysWhenAPluginCouldNotBeCalledCompletely) {
  const Verified stopped = Verify(PluginPath("throws-in-start", "throws-in-start"));
  EXPECT_EQ(stopped.exit_code, 69) << stopped.output;
  EXPECT_EQ(stopped.verdict, "incomplete");
  EXPECT_THAT(stopped.failed, IsEmpty()) << stopped.output;
  EXPECT_THAT(stopped.unable,
              Contains(HasSubstr("start(): the cache at 127.0.0.1:1 does not answer")));
  const Verified sick = Verify(PluginPath("sick", "sick"));
  EXPECT_EQ(sick.exit_code, 69) << sick.output;
  EXPECT_THAT(sick.unable, Contains(HasSubstr("failing(): reported heart: it stopped")));
}

TEST(Verify, FindsTheTenNewKindsAndMore) {
  ForEach({{"keeps-thread", "threads of the plugin still run (left-behind)"},
           {"early-thread", "threads of the plugin still run (early)"},
           {"ignores-stop", "stop: the worker \"ignores-stop-worker\": has not returned"},
           {"writes-unfenced",
            "lease: the worker \"writes-unfenced-worker\": writes in a "
            "session without a lease"},
           {"undeclared-things", "the metric summa_undeclared_total"},
           {"undeclared-things", "the code XY-0007"},
           {"undeclared-things", "summa.bus/1 as \"bus\", which its manifest does not require"},
           {"leaks-session", "left a session open when its tick returned"},
           {"throws-in-tick", "threw an exception across the boundary: no such row"},
           {"large-table", "64 more than this ABI knows, and rubbish stands in them"},
           {"calls-in-create", "create(): calls get_service(summa.log/1) in create()"}},
          ExpectFound);
}

TEST(Verify, FindsWhatIsDoneWithMemoryOfTheHost) {
  ForEach({{"keeps-config",
            "it touched what it was only lent, or behind its end: the configuration of "
            "configure(), after configure()"},
           {"reads-behind", "it touched what it was only lent, or behind its end"},
           {"frees-borrowed", kAbort},
           {"writes-behind-error", "wrote behind the summa_error"}},
          ExpectFound);
}

TEST(Verify, FindsOrdersOfCallsThatAPluginDoesNotStand) {
  ForEach({{"needs-configure", kNullPointer},
           {"gives-up", "unreachable: start(): reported a defect: it was stopped before"},
           {"other-extension", "gives a table for an extension that nobody knows"},
           {"takes-signals", "it changed the handler of signal 15"}},
          ExpectFound);
}

// A configuration in which the plugin misbehaves as it is told.
std::string Configured(const std::string& plugin) {
  return "database: { ledger: { url: \"postgresql:///nowhere?host=/nonexistent\" } }\nplugins:\n "
         " " +
         plugin + "\n";
}

TEST(Verify, FindsHowAPluginEndsTheProcess) {
  const Pairs moods = {
      {"worker: \"null\"", "the worker \"crasher\": ended the process by signal 11"},
      {"worker: abort", "the worker \"crasher\": ended the process by signal 6"},
      {"worker: _exit", "the worker \"crasher\": ended the process with exit code 0"},
      {"worker: hang", "the worker \"crasher\": has not returned"},
      {"start: exit", "start(): ended the process with exit code 0"}};
  ForEach(moods, [](const std::string& how, const std::string& text) {
    const testkit::TemporaryFile config("summa.yaml", Configured("crashes: { " + how + " }"));
    const Verified verified = Verify(PluginPath("crashes", "crashes"), "3s", config.Path());
    EXPECT_THAT(verified.failed, Contains(HasSubstr(text))) << how << ": " << verified.output;
  });
}

TEST(Verify, FindsEveryMoodOfAFicklePlugin) {
  const Verified well = Verify(PluginPath("fickle", "fickle"), "120s");
  EXPECT_EQ(well.verdict, "passed") << well.output;
  const Pairs moods = {{"worker-fails-in-latin1", "its message is not UTF-8"},
                       {"worker-throws-latin1", "its message is not UTF-8"},
                       {"configure-hangs", "configure() has not returned"},
                       {"start-hangs", "start(): has not returned"},
                       {"stop-hangs", "stop(): has not returned"},
                       {"destroy-hangs", "destroy()"},
                       {"log-latin1", "logged a text that is not UTF-8"},
                       {"metrics", "the metric summa_undeclared_total"},
                       {"start-is-wrong", "the code XY-0002 is not under `errors`"},
                       {"activate-hangs", "activate(): has not returned"},
                       {"activate-throws", "cannot begin"},
                       {"deactivate-hangs", "deactivate(): has not returned"},
                       {"status-hangs", "status(): has not returned"},
                       {"status-throws", "StatusJson(): it threw"},
                       {"status-cut-off", "status(): what it writes cannot be used"},
                       {"status-array", "status(): what it writes cannot be used"},
                       {"status-latin1", "status(): what it writes cannot be used"},
                       {"status-megabytes", "status(): what it writes cannot be used"},
                       {"failing-throws", "failing(): "},
                       {"examine-throws", "cannot look"},
                       {"verb-throws", "cannot do it"},
                       {"verb-words", "its result cannot be used"},
                       {"verb-emits-rubbish", "emitted rows, and its manifest does not say"}};
  ForEach(moods, [](const std::string& how, const std::string& text) {
    const testkit::TemporaryFile config("summa.yaml", Configured("fickle: { how: " + how + " }"));
    const Verified verified = Verify(PluginPath("fickle", "fickle"), "3s", config.Path());
    EXPECT_EQ(verified.exit_code, 1) << how << ": " << verified.output;
    EXPECT_THAT(verified.failed, Contains(HasSubstr(text))) << how << ": " << verified.output;
  });
}

TEST(Verify, TellsPeopleTheSame) {
  const RunResult run = SummaHost(
      {"plugins", "verify", PluginPath("calls-in-create", "calls-in-create"), "--deadline", "60s"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, StartsWith("plugin calls-in-create 1.0.0, "));
  EXPECT_THAT(run.out, HasSubstr("\n  file         passed\n"));
  EXPECT_THAT(run.out,
              HasSubstr("  create       failed   create(): calls get_service(summa.log/1)"));
  EXPECT_THAT(run.out, HasSubstr("\n                        expected: what summa/abi/plugin.h"));
  EXPECT_THAT(run.out, HasSubstr("\nverdict: failed\n"));
  EXPECT_THAT(run.err, HasSubstr("error SH-0171 "));
}

TEST(Verify, RefusesWhatItCannotVerify) {
  EXPECT_EQ(SummaHost({"plugins", "verify", "/nowhere/x.so"}).exit_code, 66);
  const testkit::TemporaryFile config("summa.yaml", Configured("good: {}"));
  const RunResult other =
      SummaHost({"plugins", "verify", PluginPath("keeper", "keeper"), "-c", config.Path()});
  EXPECT_NE(other.exit_code, 0);
  EXPECT_THAT(other.err, HasSubstr("SH-"));
}

}  // namespace
}  // namespace summa::test
