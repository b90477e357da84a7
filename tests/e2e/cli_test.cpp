// The command line as scripts and people see it: words, help, exit codes, JSON envelopes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/e2e/summa_host.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::test {
namespace {

// Verbs of the host itself; those of plugins are tested with their plugins.
const std::vector<std::string>& Verbs() {
  static const std::vector<std::string> verbs = {"run",
                                                 "config check",
                                                 "config print",
                                                 "config schema",
                                                 "plugins list",
                                                 "plugins inspect",
                                                 "plugins resume",
                                                 "plugins lock",
                                                 "plugins new",
                                                 "plugins verify",
                                                 "workers list",
                                                 "workers pause",
                                                 "workers resume",
                                                 "workers run",
                                                 "operations list",
                                                 "operations show",
                                                 "operations pause",
                                                 "operations resume",
                                                 "operations abort",
                                                 "operations rate",
                                                 "bus tail",
                                                 "bus streams",
                                                 "bus groups",
                                                 "bus trim",
                                                 "bus group create",
                                                 "bus group delete",
                                                 "bus group reset",
                                                 "metrics list",
                                                 "status",
                                                 "doctor",
                                                 "migrate",
                                                 "explain",
                                                 "version",
                                                 "help"};
  return verbs;
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string FileName(std::string text) {
  for (char& c : text) c = c == ' ' ? '-' : c;
  return text + ".txt";
}

// Lines that depend on which plugins are built are not the host's to test.
std::string WithoutPluginVerbs(const std::string& overview) {
  std::string result;
  const std::size_t begin = overview.find("\nVerbs of plugin ");
  const std::size_t end = overview.find("\nGlobal options:");
  if (begin == std::string::npos || begin > end) return overview;
  return overview.substr(0, begin) + overview.substr(end);
}

const char kMinimal[] =
    "database: { ledger: { url: \"postgresql:///nowhere?host=/nonexistent\" } }\nplugins: {}\n";

TEST(CommandLine, HelpOfEveryVerbIsAsWritten) {
  for (const std::string& verb : Verbs()) {
    std::vector<std::string> arguments = Words(verb);
    arguments.push_back("--help");
    const RunResult result = SummaHost(arguments);
    EXPECT_EQ(result.exit_code, 0) << verb << ": " << result.err;
    EXPECT_EQ(CompareGolden("help/" + FileName(verb), WithoutPluginVerbs(result.out)), "") << verb;
  }
}

TEST(CommandLine, OverviewListsEveryVerb) {
  const RunResult result = SummaHost({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(CompareGolden("help/overview.txt", WithoutPluginVerbs(result.out)), "");
}

TEST(CommandLine, ManPageInTheRepositoryIsTheOneTheProgramMakes) {
  const RunResult result = SummaHost({"help", "--man"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(CompareGolden("../../../config/deploy/man/summa-host.1", result.out), "");
}

TEST(CommandLine, CompletionsInTheRepositoryAreThoseTheProgramMakes) {
  for (const std::string shell : {"bash", "zsh"}) {
    const RunResult result = SummaHost({"help", "--completion", shell});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(CompareGolden("../../../config/deploy/completion/summa-host." + shell, result.out),
              "");
  }
  EXPECT_EQ(SummaHost({"help", "--completion", "fish"}).exit_code, 64);
}

// What bash offers for the last of these words.
std::string Completed(const std::vector<std::string>& words) {
  std::string script = "source " + SourceDir() + "/config/deploy/completion/summa-host.bash\n";
  script += "COMP_WORDS=(summa-host";
  for (const std::string& word : words) script += " '" + word + "'";
  script +=
      ") COMP_CWORD=" + std::to_string(words.size()) + "\n_summa_host\necho \"${COMPREPLY[*]}\"\n";
  const RunResult result = RunProgram({"bash", "-c", script});
  EXPECT_EQ(result.err, "");
  return result.out.substr(0, result.out.find('\n'));
}

TEST(CommandLine, BashCompletesVerbsWordByWordAndTheirOptionsAndValues) {
  EXPECT_EQ(Completed({"mig"}), "migrate");
  EXPECT_EQ(Completed({"plugins", ""}), "list inspect resume lock new verify");
  EXPECT_EQ(Completed({"bus", "group", "c"}), "create");
  EXPECT_EQ(Completed({"-c", "summa.yaml", "config", "p"}), "print");
  EXPECT_EQ(Completed({"migrate", "--cr"}), "--create-ledger");
  EXPECT_EQ(Completed({"migrate", "--conf"}), "--config");
  EXPECT_EQ(Completed({"plugins", "new", "hello", "--kind", "co"}), "consumer");
  EXPECT_EQ(Completed({"status", "--output", ""}), "text json");
  EXPECT_EQ(Completed({"status", "--config", ""}), "") << "files, by bash itself";
}

TEST(CommandLine, ANewProjectIsWrittenToAnEmptyPlaceOnly) {
  const TemporaryFile file("taken", "");
  const std::string directory = file.Directory() + "/project";
  const RunResult made = SummaHost({"plugins", "new", "hello", "--directory", directory});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(made.out.find("ctest --test-dir " + directory + "/build"), std::string::npos)
      << made.out;
  EXPECT_TRUE(std::filesystem::exists(directory + "/schema/ledger/001_status.sql"));
  EXPECT_TRUE(std::filesystem::exists(directory + "/.clang-format"));
  std::ifstream manifest(directory + "/plugin.yaml");
  std::stringstream text;
  text << manifest.rdbuf();
  EXPECT_NE(text.str().find("id: hello\n"), std::string::npos);
  EXPECT_NE(text.str().find("code: HELLO-0001"), std::string::npos);
  for (const std::string& place : {directory, file.Path(), file.Directory()}) {
    const RunResult refused =
        SummaHost({"plugins", "new", "hello", "--directory", place, "--output", "json"});
    EXPECT_EQ(refused.exit_code, 73) << place;
    EXPECT_EQ(JsonMember(refused.out, "code"), "SH-0912") << refused.out;
  }
}

TEST(CommandLine, ANameThatNoPluginCanHaveIsRefused) {
  for (const std::string name : {"Hello", "hello_world", "2-cents", "class", "select", "summa-x",
                                 "hello-", "current-user"}) {
    const RunResult refused = SummaHost({"plugins", "new", name, "--output", "json"});
    EXPECT_EQ(refused.exit_code, 64) << name;
    EXPECT_EQ(JsonMember(refused.out, "code"), "SH-0900") << refused.out;
  }
  EXPECT_EQ(SummaHost({"plugins", "new", "hello", "--kind", "other"}).exit_code, 64);
}

TEST(CommandLine, EveryCodeOfTheHostIsExplained) {
  std::vector<std::string> codes;
  for (const auto& file : std::filesystem::directory_iterator(SourceDir() + "/host/errors")) {
    std::ifstream text(file.path());
    for (std::string line; std::getline(text, line);) {
      const std::size_t at = line.find("- code: ");
      if (at != std::string::npos) codes.push_back(line.substr(at + 8, 7));
    }
  }
  ASSERT_GT(codes.size(), 10u);
  const RunResult one = SummaHost({"explain", codes.front()});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(one.out.rfind(codes.front() + ": ", 0), 0U) << one.out;
  const RunResult all = SummaHost({"explain", "all"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_NE(all.out.find(one.out), std::string::npos) << "the same text as alone";
  for (const std::string& code : codes) {
    const std::size_t at = ("\n" + all.out).find("\n" + code + ": ");
    ASSERT_NE(at, std::string::npos) << code;
    const std::string text = all.out.substr(at, all.out.find("\nSH-", at) - at);
    EXPECT_NE(text.find("\nFix: "), std::string::npos) << text;
  }
}

TEST(CommandLine, UnknownCodeExits66) {
  const RunResult result = SummaHost({"explain", "SH-9999", "--output", "json"});
  EXPECT_EQ(result.exit_code, 66);
  EXPECT_EQ(JsonMember(result.out, "code"), "SH-0902");
}

TEST(CommandLine, UnknownVerbSuggestsTheNearestAndExits64) {
  const RunResult result = SummaHost({"confg", "check"});
  EXPECT_EQ(result.exit_code, 64);
  EXPECT_NE(result.err.find("error SH-0900"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("summa-host config check"), std::string::npos) << result.err;
  EXPECT_EQ(result.out, "");
}

TEST(CommandLine, BeginningOfAVerbSaysHowItGoesOn) {
  const RunResult result = SummaHost({"config"});
  EXPECT_EQ(result.exit_code, 64);
  const RunResult help = SummaHost({"config", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("config schema"), std::string::npos) << help.out;
}

TEST(CommandLine, ColonEqualsSpace) {
  const TemporaryFile file("summa.yaml", kMinimal);
  const RunResult result = SummaHost({"config:check", "-c", file.Path()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(CommandLine, WrongOptionsExit64AndNameTheOption) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"run --for soon", "--for"},         {"run --for 1s --for 2s", "--for"},
      {"run --once --for 1s", "--once"},   {"version --loud", "--loud"},
      {"explain SH-0201 SH-0202", "code"}, {"version --output xml", "xml"},
      {"plugins inspect", "file"}};
  for (const auto& [line, expected] : cases) {
    const RunResult result = SummaHost(Words(line));
    EXPECT_EQ(result.exit_code, 64) << line << ": " << result.err;
    EXPECT_NE(result.err.find(expected), std::string::npos) << line << ": " << result.err;
  }
}

TEST(CommandLine, EachArgumentOfAVerbTakesOneWord) {
  const TemporaryFile file("summa.yaml",
                           "database: { ledger: { url: \"postgresql:///x?host=/nonexistent\" } }\n"
                           "plugins: { bus-redis: {} }\n");
  const RunResult two =
      SummaHost({"bus", "group", "create", "a-stream", "a-group", "-c", file.Path()});
  EXPECT_EQ(two.exit_code, 69) << "it goes on to the database, which is not there: " << two.err;
  const RunResult three =
      SummaHost({"bus", "group", "create", "a-stream", "a-group", "more", "-c", file.Path()});
  EXPECT_EQ(three.exit_code, 64) << three.err;
  EXPECT_NE(three.err.find("group: "), std::string::npos) << three.err;
}

TEST(CommandLine, NothingAtAllExits64) { EXPECT_EQ(SummaHost({}).exit_code, 64); }

TEST(CommandLine, EveryJsonResultHasTheEnvelope) {
  const TemporaryFile file("summa.yaml", kMinimal);
  const std::vector<std::string> lines = {"config check",  "config print", "plugins list",
                                          "explain",       "version",      "version --verbose",
                                          "workers list",  "status",       "migrate",
                                          "config schema", "nonsense",     "explain SH-9999"};
  for (const std::string& line : lines) {
    std::vector<std::string> arguments = Words(line);
    arguments.insert(arguments.end(), {"--output", "json", "-c", file.Path()});
    const RunResult result = SummaHost(arguments);
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << line << result.out;
    EXPECT_TRUE(JsonMember(result.out, "command").has_value()) << line;
    EXPECT_EQ(JsonMember(result.out, "ok"), result.exit_code == 0 ? "true" : "false") << line;
    EXPECT_EQ(JsonMember(result.out, "code") == "null", result.exit_code == 0) << line;
    EXPECT_EQ(JsonMember(result.out, "error").has_value(), result.exit_code != 0) << line;
    EXPECT_TRUE(JsonMember(result.out, "startedAt").value_or("").ends_with("Z")) << line;
    EXPECT_TRUE(JsonMember(result.out, "durationMs").has_value()) << line;
  }
}

TEST(ConfigCheck, SaysEverythingThatIsWrongAtOnceAndExits78) {
  const TemporaryFile file("summa.yaml",
                           "database: { ledger: { url: \"postgresql:///x\", pol: 8 } }\n"
                           "host: { drain_timeout: 10 }\nplugins: {}\n");
  const RunResult text = SummaHost({"config", "check", "-c", file.Path()});
  EXPECT_EQ(text.exit_code, 78);
  EXPECT_NE(text.err.find("summa.yaml:1:"), std::string::npos) << text.err;
  EXPECT_NE(text.err.find("summa.yaml:2:"), std::string::npos) << text.err;
  const RunResult json = SummaHost({"config", "check", "-c", file.Path(), "--output", "json"});
  EXPECT_EQ(json.exit_code, 78);
  EXPECT_EQ(JsonMember(json.out, "ok"), "false");
}

TEST(ConfigCheck, FileThatIsNotThereExits78) {
  const RunResult result = SummaHost({"config", "check", "-c", "/nonexistent/summa.yaml"});
  EXPECT_EQ(result.exit_code, 78) << result.err;
}

TEST(ConfigCheck, GoodFileIsCountedAndNamed) {
  const TemporaryFile file("summa.yaml", kMinimal);
  const RunResult result = SummaHost({"config", "check", "-c", file.Path()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "ok: 0 plugins, 0 workers, " + file.Path() + "\n");
}

TEST(ConfigPrint, ShowsOriginsAndNeverAPassword) {
  const TemporaryFile file("summa.yaml",
                           "database: { ledger: { url: \"${DATABASE_URL}\" } }\nplugins: {}\n");
  for (const char* form : {"text", "json"}) {
    const RunResult result = SummaHost({"config", "print", "-c", file.Path(), "--output", form},
                                       {{"DATABASE_URL", "postgresql://u:hunter2@db:5432/x"}});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out.find("hunter2"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("db:5432/x"), std::string::npos) << "all of it is hidden\n"
                                                               << result.out;
    EXPECT_NE(result.out.find("summa.yaml:1"), std::string::npos) << result.out;
  }
}

TEST(Status, NobodyListeningExits69) {
  const RunResult result = SummaHost({"status", "--url", "http://127.0.0.1:1"});
  EXPECT_EQ(result.exit_code, 69);
  EXPECT_NE(result.err.find("SH-0905"), std::string::npos) << result.err;
}

TEST(Database, DownExits69ForEveryVerbThatNeedsIt) {
  const TemporaryFile file("summa.yaml", kMinimal);
  for (const char* line :
       {"workers list", "migrate", "migrate --dry-run", "run --once --wait 1s"}) {
    std::vector<std::string> arguments = Words(line);
    arguments.insert(arguments.end(), {"-c", file.Path()});
    const RunResult result = SummaHost(arguments);
    EXPECT_EQ(result.exit_code, 69) << line << ": " << result.err;
    EXPECT_NE(result.err.find("SH-04"), std::string::npos) << line << ": " << result.err;
  }
}

TEST(PluginsInspect, FileThatIsNotThereSaysSo) {
  const RunResult result = SummaHost({"plugins", "inspect", "/nonexistent/x.so"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(result.err.find("SH-01"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("fix:"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace summa::test
