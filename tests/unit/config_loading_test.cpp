#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "host/error.hpp"
#include "host/settings/configuration.hpp"

namespace summa::host {
namespace {

using testing::HasSubstr;

std::optional<std::string> NoVariables(const std::string&) { return std::nullopt; }

std::vector<Manifest> Manifests() {
  Manifest bus;
  bus.id = "bus-redis";
  bus.provides = {"summa.bus/1"};
  Manifest outbox;
  outbox.id = "outbox";
  outbox.requires_services = {{"summa.bus/1", "bus", false}};
  WorkerDeclaration processor{"outbox-processor", "", WorkerDeclaration::Kind::kContinuous};
  processor.idle_poll_microseconds = 20'000;
  WorkerDeclaration cleanup{"outbox-cleanup", "", WorkerDeclaration::Kind::kPeriodic};
  cleanup.interval_microseconds = 21'600'000'000;
  outbox.workers = {processor, cleanup};
  Schema size;
  size.type = Schema::Type::kInteger;
  size.default_text = "1000";
  outbox.config.keys = {{"batch_size", size}};
  return {bus, outbox};
}

LoadResult Load(const std::string& text) {
  return LoadConfiguration("database: { ledger: { url: \"postgresql:///summa\" } }\n" + text,
                           "summa.yaml", NoVariables, Manifests());
}

std::string Problems(const LoadResult& result) {
  std::string text;
  for (const Diagnostic& diagnostic : result.diagnostics) text += ToText(diagnostic) + "\n";
  return text;
}

class TemporaryFolder {
 public:
  TemporaryFolder()
      : before_(std::filesystem::current_path()),
        path_(std::filesystem::temp_directory_path() /
              ("summa-configuration-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(path_);
    std::filesystem::current_path(path_);
  }
  ~TemporaryFolder() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(path_);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path before_, path_;
};

TEST(Configuration, DefaultsAreThoseOfTheContract) {
  const LoadResult result = Load("plugins: { bus-redis: , outbox: }");
  ASSERT_TRUE(result.ok()) << Problems(result);
  const Configuration& c = result.configuration;
  const Settings& settings = result.settings;
  EXPECT_EQ(settings.ledger.url, "postgresql:///summa");
  EXPECT_FALSE(settings.read) << "the ledger's database";
  EXPECT_EQ(settings.ledger.schema, "public");
  EXPECT_EQ(settings.ledger.pool, 8);
  EXPECT_EQ(settings.layout, std::nullopt);
  EXPECT_FALSE(settings.migrate_automatically);
  char machine[256] = {};
  ASSERT_EQ(gethostname(machine, sizeof machine - 1), 0);
  EXPECT_EQ(settings.name, machine);
  EXPECT_EQ(settings.listen, "127.0.0.1:9464");
  EXPECT_TRUE(settings.loopback);
  EXPECT_EQ(settings.drain_timeout.count(), 10'000'000);
  EXPECT_EQ(settings.log_level, LogLevel::kInfo);
  EXPECT_EQ(settings.log_format, LogFormat::kText);
  EXPECT_EQ(c.share_with_node, std::nullopt);
  ASSERT_EQ(c.workers.size(), 3u);
  EXPECT_EQ(c.FindWorker("inbox-cleanup")->plugin, "host") << "where a bus is enabled";
  const WorkerSettings& processor = *c.FindWorker("outbox-processor");
  EXPECT_EQ(processor.lease_ttl.count(), 15'000'000);
  EXPECT_EQ(processor.idle_poll.count(), 20'000);
  EXPECT_TRUE(processor.enabled);
  const WorkerSettings& cleanup = *c.FindWorker("outbox-cleanup");
  EXPECT_EQ(cleanup.interval.count(), 21'600'000'000);
  EXPECT_DOUBLE_EQ(cleanup.jitter, 0.25);
  EXPECT_TRUE(cleanup.run_missed_once);
  EXPECT_EQ(cleanup.plugin, "outbox");
}

TEST(Configuration, ReadsSettingsOfPluginsAndWorkers) {
  const LoadResult result = Load(
      "plugins:\n"
      "  outbox: { use: { bus: bus-redis }, batch_size: 10 }\n"
      "  bus-redis:\n"
      "schedules:\n"
      "  share_with_node: true\n"
      "  outbox-cleanup:\n"
      "    { interval: 2d, jitter: 12.5%, lease_ttl: 500ms, missed: skip, enabled: false }\n");
  ASSERT_TRUE(result.ok()) << Problems(result);
  const Configuration& c = result.configuration;
  EXPECT_EQ(c.share_with_node, true);
  ASSERT_EQ(c.plugins.size(), 2u);
  EXPECT_EQ(c.plugins[0].id, "outbox");
  EXPECT_EQ(c.plugins[0].use.at("bus").provider, "bus-redis");
  EXPECT_EQ(c.plugins[0].use.at("bus").where.line, 3);
  EXPECT_EQ(c.plugins[0].config.Integer("batch_size"), 10);
  EXPECT_EQ(c.plugins[0].config.Find("use"), nullptr);
  const WorkerSettings& cleanup = *c.FindWorker("outbox-cleanup");
  EXPECT_EQ(cleanup.interval.count(), 172'800'000'000);
  EXPECT_DOUBLE_EQ(cleanup.jitter, 0.125);
  EXPECT_EQ(cleanup.lease_ttl.count(), 500'000);
  EXPECT_FALSE(cleanup.run_missed_once);
  EXPECT_FALSE(cleanup.enabled);
}

TEST(Configuration, DisabledPluginsHaveNoWorkers) {
  const LoadResult result = Load("plugins: { outbox: { enabled: false } }");
  ASSERT_TRUE(result.ok()) << Problems(result);
  EXPECT_TRUE(result.configuration.workers.empty());
  EXPECT_FALSE(result.configuration.FindPlugin("outbox")->enabled);
}

TEST(Configuration, ABrokenFileGivesNoGuessesAboutWhatFollows) {
  const LoadResult result = LoadConfiguration("log: { levl: x }\nhost: { name: \"a\n", "f.yaml",
                                              NoVariables, Manifests());
  ASSERT_EQ(result.diagnostics.size(), 2u) << Problems(result);
  EXPECT_EQ(result.diagnostics[0].code, "SH-0201");
  EXPECT_EQ(result.diagnostics[1].code, "SH-0210");
}

TEST(Configuration, TheHostsNameComesFromTheEnvironmentWhenNotGiven) {
  const LoadResult result =
      LoadConfiguration("database: { ledger: { url: \"postgresql:///summa\" } }", "f.yaml",
                        [](const std::string& name) -> std::optional<std::string> {
                          if (name == "HOSTNAME") return "ledger-7";
                          return std::nullopt;
                        },
                        {});
  EXPECT_EQ(result.settings.name, "ledger-7");
}

TEST(Configuration, WarningsDoNotRefuse) {
  std::vector<Manifest> manifests = Manifests();
  Schema old;
  old.type = Schema::Type::kInteger;
  old.deprecated = true;
  old.replaced_by = "batch_size";
  manifests[1].config.keys.emplace_back("batch", old);
  const LoadResult result = LoadConfiguration(
      "database: { ledger: { url: \"postgresql:///summa\" } }\nplugins: { outbox: { batch: 1 } }",
      "f.yaml", NoVariables, manifests);
  EXPECT_TRUE(result.ok());
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_THAT(ToText(result.diagnostics[0]), HasSubstr("warning: "));
}

TEST(Configuration, TheJsonSchemaHasEveryPluginAndWorker) {
  const std::string json = ConfigurationJsonSchema(Manifests());
  for (const char* name : {"\"database\"", "\"outbox\"", "\"bus-redis\"", "\"outbox-cleanup\"",
                           "\"share_with_node\"", "\"batch_size\"", "\"use\""}) {
    EXPECT_THAT(json, HasSubstr(name));
  }
}

TEST(ConfigurationFile, IsLookedForInOrder) {
  const TemporaryFolder folder;
  const std::string named = folder.Write("named.yaml", "");
  const std::string other = folder.Write("other.yaml", "");
  const Environment variable = [&](const std::string& name) -> std::optional<std::string> {
    return name == "SUMMA_CONFIG" ? std::optional(other) : std::nullopt;
  };
  EXPECT_EQ(FindConfigurationFile(named, variable), named);
  EXPECT_EQ(FindConfigurationFile("", variable), other);
  folder.Write("summa.yaml", "");
  EXPECT_EQ(FindConfigurationFile("", NoVariables), "./summa.yaml");
}

TEST(ConfigurationFile, ThatIsNamedMustExist) {
  const TemporaryFolder folder;
  folder.Write("summa.yaml", "");
  EXPECT_THROW(FindConfigurationFile("nope.yaml", NoVariables), Failure);
  const Environment variable = [](const std::string&) { return "/nope.yaml"; };
  EXPECT_THROW(FindConfigurationFile("", variable), Failure);
}

TEST(ConfigurationFile, NoneFoundSaysWhereItLooked) {
  if (std::filesystem::exists("/etc/summa/summa.yaml")) {
    GTEST_SKIP() << "skipped: this machine has /etc/summa/summa.yaml";
  }
  const TemporaryFolder folder;
  try {
    FindConfigurationFile("", NoVariables);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, "SH-0200");
    EXPECT_EQ(ExitCode(failure.error()), 78);
    for (const char* place : {"-c", "SUMMA_CONFIG", "./summa.yaml", "/etc/summa/summa.yaml"}) {
      EXPECT_THAT(failure.error().message, HasSubstr(place));
    }
  }
}

TEST(ConfigurationFile, UnreadableIsAFailureWithItsPath) {
  const TemporaryFolder folder;
  EXPECT_THROW(LoadConfigurationFile("/nonexistent.yaml", NoVariables, {}), Failure);
  EXPECT_THROW(LoadConfigurationFile("/tmp", NoVariables, {}), Failure);
  const std::string path = folder.Write("big.yaml", std::string(3 << 20, '#'));
  EXPECT_EQ(LoadConfigurationFile(path, NoVariables, {}).diagnostics.at(0).code, "SH-0212");
}

TEST(ErrorCatalogue, EveryEntryIsCompleteAndUnique) {
  std::set<std::string> codes;
  for (const CodeDescription& entry : HostCodes()) {
    EXPECT_TRUE(std::regex_match(entry.code, std::regex("SH-0[0-9]{3}"))) << entry.code;
    EXPECT_TRUE(codes.insert(entry.code).second) << entry.code << " is given twice";
    EXPECT_GT(entry.explanation.size(), 20u) << entry.code;
    EXPECT_GT(entry.fix.size(), 10u) << entry.code;
  }
  EXPECT_TRUE(codes.count("SH-0201"));
  EXPECT_EQ(FindHostCode("SH-9999"), std::nullopt);
}

TEST(ErrorCatalogue, EveryCodeOfTheConfigurationIsInIt) {
  const char* source = std::getenv("SUMMA_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "skipped: SUMMA_SOURCE_DIR is not set";
  const std::regex code("SH-[0-9]{4}");
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(source) / "host" / "config")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      for (std::sregex_iterator it(line.begin(), line.end(), code), end; it != end; ++it) {
        EXPECT_TRUE(FindHostCode(it->str())) << it->str() << " in " << entry.path();
      }
    }
  }
}

TEST(ErrorText, HasCodePlaceMessageAndFix) {
  EXPECT_EQ(ToText(Error{"SH-0201", "unknown key", "Remove it", "summa.yaml:4:3"}),
            "SH-0201 summa.yaml:4:3: unknown key. Fix: Remove it.");
  EXPECT_EQ(ToText(Error{"SH-0901", "defect.", "", ""}), "SH-0901 defect.");
}

TEST(ErrorText, ExitCodeIsTheErrorsOwnElseTheCataloguesElseDefect) {
  EXPECT_EQ(ExitCode(Error{"SH-0201", "", "", "", 75}), 75);
  EXPECT_EQ(ExitCode(Error{"SH-0201", "", "", ""}), 78);
  EXPECT_EQ(ExitCode(Error{"XX-0001", "", "", ""}), 70);
}

}  // namespace
}  // namespace summa::host
