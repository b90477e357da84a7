// What people read when a plugin is wrong: every message in full.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "host/plugin/config_view.hpp"
#include "host/plugin/graph.hpp"
#include "host/plugin/instance.hpp"
#include "tests/broken-plugins/plugin_files.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// With the place of the build directory taken out.
std::string Text(const Error& error) {
  std::string text = ToText(error);
  const std::string directory = test::PluginsDirectory();
  for (auto at = text.find(directory); at != std::string::npos; at = text.find(directory)) {
    text.replace(at, directory.size(), "$DIR");
  }
  return text;
}

std::vector<std::string> Texts(const std::vector<Error>& errors) {
  std::vector<std::string> texts;
  for (const Error& error : errors) texts.push_back(Text(error));
  return texts;
}

PluginFile Inspect(const std::string& folder, const std::string& name) {
  return InspectPlugin(test::PluginPath(folder, name), CurrentTrust());
}
std::vector<std::string> Refusals(const std::string& name) {
  return Texts(Inspect(name, name).refusals);
}

template <typename Function>
std::string FailureOf(Function function) {
  try {
    function();
  } catch (const Failure& failure) {
    return Text(failure.error());
  }
  return "no failure";
}

Plan PlanOf(const Discovery& discovery, const std::vector<std::string>& ids) {
  std::vector<EnabledPlugin> enabled;
  for (const std::string& id : ids) enabled.push_back({id, "summa.yaml:3:3", {}});
  return MakePlan(enabled, discovery, "summa.yaml");
}

const summa_host& Host() {
  static const summa_host host = [] {
    summa_host made{};
    made.struct_size = sizeof(made);
    made.abi_major = SUMMA_ABI_MAJOR;
    made.abi_minor = SUMMA_ABI_MINOR;
    made.get_service = [](const summa_host*, const char*) -> const void* { return nullptr; };
    return made;
  }();
  return host;
}

// Takes the plugin through the states up to and with Start().
void StartUp(PluginInstance& plugin) {
  Value config;
  config.null = false;
  const ConfigView view(config);
  plugin.Load();
  plugin.Create(&Host());
  plugin.Configure(view.abi());
  plugin.Start();
}

TEST(BrokenPlugins, AGoodPluginGoesThroughEveryStateAndItsWorkerRuns) {
  const PluginFile file = Inspect("good", "good");
  ASSERT_THAT(Texts(file.refusals), IsEmpty());
  PluginInstance plugin(file);
  EXPECT_EQ(ToText(plugin.state()), "inspected");
  Diagnostics diagnostics;
  const Value config = Validate(plugin.manifest().config, nullptr, "plugins.good", diagnostics);
  const ConfigView view(config);
  plugin.Load();
  EXPECT_EQ(ToText(plugin.state()), "loaded");
  plugin.Create(&Host());
  EXPECT_EQ(ToText(plugin.state()), "created");
  plugin.Configure(view.abi());
  EXPECT_EQ(ToText(plugin.state()), "configured");
  plugin.Start();
  EXPECT_EQ(ToText(plugin.state()), "started");

  const summa_worker* worker = plugin.Worker("good-worker");
  ASSERT_NE(worker, nullptr);
  EXPECT_EQ(plugin.Worker("no-such-worker"), nullptr);
  summa_tick tick{};
  summa_tick_result result{};
  summa_error error{};
  ASSERT_EQ(worker->tick(worker->self, &tick, &result, &error), SUMMA_OK);
  EXPECT_EQ(result.items, 1);
  EXPECT_EQ(result.backlog, 1U);  // the default limit of its schema is 3

  plugin.Stop();
  EXPECT_EQ(ToText(plugin.state()), "stopped");
  EXPECT_FALSE(plugin.error().has_value());
}

TEST(BrokenPlugins, StepsComeWithTheirTextsAndAMissingOneRefusesTheFile) {
  const std::string path = test::PluginPath("keeper", "keeper");
  const PluginFile whole = InspectPlugin(path, CurrentTrust());
  EXPECT_TRUE(whole.refusals.empty());
  ASSERT_EQ(whole.manifest->schema.size(), 3U);
  EXPECT_EQ(whole.manifest->schema[0].sql,
            "CREATE SCHEMA keeper;\nCREATE TABLE keeper.page (number bigint PRIMARY KEY);\n");
  EXPECT_NE(whole.manifest->schema[2].sql.find("keeper_index"), std::string::npos);

  // The path of one step in the section, which stands in the manifest, too.
  std::vector<char> bytes = test::ReadFile(path);
  const std::string name("schema/ledger/002_line.sql\0", 27);
  const auto found = std::search(bytes.begin(), bytes.end(), name.begin(), name.end());
  ASSERT_NE(found, bytes.end());
  *(found + 16) = '9';
  const test::TemporaryDirectory directory;
  const std::string changed = directory.path() + "/keeper.so";
  test::WriteFile(changed, bytes);
  const PluginFile part = InspectPlugin(changed, CurrentTrust());
  ASSERT_EQ(part.refusals.size(), 1U);
  EXPECT_EQ(part.refusals[0].code, "SH-0114");
  EXPECT_NE(part.refusals[0].message.find("schema/ledger/002_line.sql"), std::string::npos);
}

TEST(BrokenPlugins, ALibraryWithoutManifestIsNoPlugin) {
  EXPECT_THAT(
      Refusals("no-manifest"),
      ElementsAre("SH-0104 $DIR/no-manifest/no-manifest.so: no-manifest.so has no .summa.manifest "
                  "section: it is a shared library, but not a summa plugin (or its manifest was "
                  "removed with objcopy). Fix: Build it with summa_add_plugin(), or move it out of "
                  "the plugin directory."));
}

TEST(BrokenPlugins, APluginForALaterMinorIsRefusedBeforeItsUnknownKeysAreJudged) {
  EXPECT_THAT(Refusals("newer-abi"),
              ElementsAre("SH-0105 $DIR/newer-abi/newer-abi.so: plugin \"newer-abi\" 2.0.0 needs "
                          "host ABI 1.9; this host (" SUMMA_VERSION
                          ") offers 1.0. Fix: Upgrade summa-host, or install a release of "
                          "newer-abi that needs ABI 1.0 or lower."));
}

TEST(BrokenPlugins, APluginOfAnotherMajorIsNamedBeforeItIsLoaded) {
  EXPECT_THAT(
      Refusals("other-major"),
      ElementsAre("SH-0106 $DIR/other-major/other-major.so: plugin \"other-major\" 3.0.0 exports "
                  "summa_plugin_v2; this host supports v1. Fix: Install the release of the plugin "
                  "for this host, or the release of summa-host for this plugin."));
}

TEST(BrokenPlugins, AManifestWithoutTheEntrySymbolIsRefused) {
  EXPECT_THAT(Refusals("no-symbol"),
              ElementsAre("SH-0122 $DIR/no-symbol/no-symbol.so: plugin \"no-symbol\" 1.0.0 has a "
                          "manifest, but exports no symbol summa_plugin_v1. Fix: Use "
                          "SUMMA_PLUGIN(...) once, and build it with summa_add_plugin()."));
}

TEST(BrokenPlugins, EveryProblemOfAManifestIsReportedAtOnceWithItsPlace) {
  const std::string file = "bad-manifest.so(.summa.manifest)";
  EXPECT_THAT(
      Refusals("bad-manifest"),
      ElementsAre(
          "SH-0115 " + file +
              ":10:5: workers.interval: is missing. Fix: Write a number and a unit: 20ms, 5s, 30m, "
              "6h or 1d.",
          "SH-0115 " + file +
              ":11:11: workers.id: \"Bad\" is not lower-case letters, digits, '.', '_' and '-'. "
              "Fix: Write lower-case letters, digits, '.', '_' and '-'.",
          "SH-0115 " + file +
              ":11:42: workers.kind: \"sometimes\" is not one of: periodic, continuous. Fix: Write "
              "one of: periodic, continuous.",
          "SH-0115 " + file +
              ":11:64: workers.idle_poll: \"5\" is not a duration above zero. Fix: Write a number "
              "and a unit: 20ms, 5s, 30m, 6h or 1d.",
          "SH-0115 " + file +
              ":13:43: errors.exit: 2 is not an exit code of summa-host. Fix: Write one of 0, 1, "
              "64, 65, 66, 69, 70, 75, 77, 78.",
          "SH-0115 " + file +
              ":13:5: errors.code: SH-0101 belongs to summa-host itself. Fix: Use SH-05xx to "
              "SH-08xx for a plugin of the project, otherwise your own prefix.",
          "SH-0115 " + file + ":7:1: licence: unknown key. Fix: Did you mean license?"));
}

TEST(BrokenPlugins, AMissingFileIsToldFromARefusedOne) {
  EXPECT_THAT(Texts(InspectPlugin("/nowhere/x.so", CurrentTrust()).refusals),
              ElementsAre("SH-0101 /nowhere/x.so: plugin file not found: /nowhere/x.so. Fix: Check "
                          "the path, or install the plugin."));
  Discovery discovery;
  discovery.directories = {"/etc/summa/plugins", "/usr/lib/summa/plugins"};
  EXPECT_EQ(Text(discovery.NotFound("outbox")),
            "SH-0101 plugin \"outbox\": file not found. Looked in: /etc/summa/plugins, "
            "/usr/lib/summa/plugins. Fix: Install the plugin, or name its directory with "
            "--plugin-dir or SUMMA_PLUGIN_PATH.");
}

TEST(BrokenPlugins, FilesThatAreNoSharedObjectsAreRefusedWithTheReason) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.so";
  const auto refusal = [&](const std::vector<char>& bytes) {
    test::WriteFile(path, bytes);
    const auto refusals = InspectPlugin(path, CurrentTrust()).refusals;
    return refusals.size() == 1 ? refusals[0].code + " " + refusals[0].message : "not one refusal";
  };
  EXPECT_EQ(refusal({}), "SH-0113 x.so is empty");
  EXPECT_EQ(refusal({'#', '!', '/'}), "SH-0113 x.so is not an ELF file");
  std::vector<char> bytes = test::ReadFile(test::PluginPath("good", "good"));
  const std::size_t size = bytes.size();
  ASSERT_GT(size, 0U);
  bytes.pop_back();
  EXPECT_EQ(refusal(bytes),
            "SH-0113 x.so is damaged or truncated: the section table should end at byte " +
                std::to_string(size) + ", but the file has " + std::to_string(size - 1) + " bytes");
  ASSERT_EQ(mkfifo((directory.path() + "/pipe.so").c_str(), 0600), 0);
  EXPECT_THAT(Texts(InspectPlugin(directory.path() + "/pipe.so", CurrentTrust()).refusals),
              ElementsAre(HasSubstr(
                  "pipe.so is not a regular file. Fix: Put the plugin's .so file there.")));
}

TEST(BrokenPlugins, APluginForAnotherProcessorIsRefused) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.so";
  std::vector<char> bytes = test::ReadFile(test::PluginPath("good", "good"));
  const std::uint16_t machine = EM_S390;
  std::memcpy(bytes.data() + offsetof(ElfW(Ehdr), e_machine), &machine, sizeof(machine));
  test::WriteFile(path, bytes);
  const auto refusals = InspectPlugin(path, CurrentTrust()).refusals;
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].code, "SH-0103");
  EXPECT_THAT(refusals[0].message, StartsWith("x.so is built for s390x; this host is "));
}

TEST(BrokenPlugins, AMissingServiceIsNamedWithWhatToInstall) {
  const Discovery discovery =
      DiscoverPlugins({{test::PluginsDirectory() + "/missing-service", true}}, CurrentTrust());
  const Plan plan = PlanOf(discovery, {"missing-service"});
  EXPECT_THAT(plan.order, IsEmpty());
  ASSERT_THAT(plan.refused, SizeIs(1));
  EXPECT_THAT(Texts(plan.refused[0].errors),
              ElementsAre("SH-0108 summa.yaml:3:3: plugin \"missing-service\" requires service "
                          "example.cache/1 as \"cache\"; none of the enabled plugins provides it. "
                          "Fix: Install a plugin that provides example.cache/1: no installed "
                          "plugin does."));
}

TEST(BrokenPlugins, ARingIsShownInFull) {
  const Discovery discovery =
      DiscoverPlugins({{test::PluginsDirectory() + "/ring", true}}, CurrentTrust());
  const Plan plan = PlanOf(discovery, {"ring-a", "ring-b", "ring-c"});
  EXPECT_THAT(plan.order, IsEmpty());
  ASSERT_THAT(plan.refused, SizeIs(3));
  for (const RefusedPlugin& refused : plan.refused) {
    EXPECT_THAT(Texts(refused.errors),
                ElementsAre("SH-0109 summa.yaml:3:3: dependency cycle: ring-a → ring-b → ring-c → "
                            "ring-a (through example.b/1, example.c/1, example.a/1). Fix: Choose "
                            "another provider with `use`, or disable one of these plugins."));
  }
}

TEST(BrokenPlugins, OneIdTwiceInOneDirectoryRefusesBoth) {
  const test::TemporaryDirectory directory;
  fs::copy_file(test::PluginPath("good", "good"), directory.path() + "/a.so");
  fs::copy_file(test::PluginPath("good", "good"), directory.path() + "/b.so");
  const Discovery discovery = DiscoverPlugins({{directory.path(), true}}, CurrentTrust());
  ASSERT_THAT(discovery.files, SizeIs(2));
  const std::string a = directory.path() + "/a.so";
  const std::string b = directory.path() + "/b.so";
  EXPECT_THAT(Texts(discovery.files[0].refusals),
              ElementsAre("SH-0116 " + a + ": plugin \"good\" exists twice in one directory: " + a +
                          " and " + b + ". Fix: Remove one of the two files."));
  EXPECT_THAT(Texts(discovery.files[1].refusals),
              ElementsAre("SH-0116 " + b + ": plugin \"good\" exists twice in one directory: " + b +
                          " and " + a + ". Fix: Remove one of the two files."));
}

TEST(BrokenPlugins, AllMissingLibrariesAreNamedAtOnce) {
  const PluginFile file = Inspect("missing-library", "missing-library");
  ASSERT_THAT(Texts(file.refusals), IsEmpty());
  PluginInstance plugin(file);
  EXPECT_EQ(FailureOf([&] { plugin.Load(); }),
            "SH-0110 $DIR/missing-library/missing-library.so: missing-library.so could not be "
            "loaded: libsumma-gone-one.so, libsumma-gone-two.so: cannot open shared object file. "
            "Fix: Install the packages that contain libsumma-gone-one.so, libsumma-gone-two.so.");
  EXPECT_EQ(ToText(plugin.state()), "failed");
}

TEST(BrokenPlugins, ASanitizedPluginIsRefusedByAPlainHost) {
  const std::string path = test::PluginPath("sanitized", "sanitized");
  if (!fs::exists(path)) GTEST_SKIP() << "skipped: this build has a sanitizer or is not by g++";
  EXPECT_THAT(Refusals("sanitized"),
              ElementsAre(::testing::MatchesRegex(
                  "SH-0125 .DIR/sanitized/sanitized.so: plugin \"sanitized\" 1.0.0 is built with a "
                  "sanitizer .it needs libasan.so.[0-9]+.; this host is not, and the sanitizer "
                  "would end it. Fix: Build the plugin without -fsanitize, or the host with the "
                  "same one.")));
}

TEST(BrokenPlugins, ADescriptorThatShowsAnotherManifestIsRefused) {
  PluginInstance plugin(Inspect("lying-descriptor", "lying-descriptor"));
  EXPECT_EQ(FailureOf([&] { plugin.Load(); }),
            "SH-0122 $DIR/lying-descriptor/lying-descriptor.so: plugin \"lying-descriptor\": the "
            "manifest of the loaded code is not the one in the file. Fix: Build it with "
            "summa_add_plugin() and SUMMA_PLUGIN(...), and install it again.");
}

TEST(BrokenPlugins, AFileThatWasReplacedAfterTheLookIsNotLoaded) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/good.so";
  fs::copy_file(test::PluginPath("good", "good"), path);
  PluginInstance plugin(InspectPlugin(path, CurrentTrust()));
  fs::remove(path);
  fs::copy_file(test::PluginPath("throws-in-start", "throws-in-start"), path);
  EXPECT_EQ(FailureOf([&] { plugin.Load(); }), "SH-0122 " + path +
                                                   ": plugin \"good\": the file was replaced after "
                                                   "it was examined. Fix: Start the host again.");
}

TEST(BrokenPlugins, AFileThatIsLinkedElsewhereAfterTheLookIsLoaded) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/good.so";
  fs::copy_file(test::PluginPath("good", "good"), path);
  PluginInstance plugin(InspectPlugin(path, CurrentTrust()));
  fs::create_hard_link(path, directory.path() + "/backup");
  EXPECT_NO_THROW(plugin.Load());
}

TEST(BrokenPlugins, AFailureWithoutAMessageIsNamedAsTheDefectOfThePlugin) {
  PluginInstance plugin(Inspect("silent-create", "silent-create"));
  EXPECT_EQ(FailureOf([&] { StartUp(plugin); }),
            "SH-0111 $DIR/silent-create/silent-create.so: plugin \"silent-create\": create() "
            "reported a failure without a message (status 70). Fix: This is a defect of the "
            "plugin; report it to https://example.com/silent-create.");
  EXPECT_EQ(ToText(plugin.state()), "failed");
}

TEST(BrokenPlugins, ASuccessWithoutAPluginIsRefused) {
  PluginInstance plugin(Inspect("no-table", "no-table"));
  EXPECT_EQ(FailureOf([&] { StartUp(plugin); }),
            "SH-0122 $DIR/no-table/no-table.so: plugin \"no-table\": create() reported success, "
            "but gave no plugin. Fix: This is a defect of the plugin; report it to "
            "https://example.com/no-table.");
}

TEST(BrokenPlugins, WhatAPluginReportsInStartIsPassedOn) {
  PluginInstance plugin(Inspect("throws-in-start", "throws-in-start"));
  EXPECT_EQ(FailureOf([&] { StartUp(plugin); }),
            "SH-0126 $DIR/throws-in-start/throws-in-start.so: plugin \"throws-in-start\": start() "
            "failed: the cache at 127.0.0.1:1 does not answer. Fix: Start the cache.");
  ASSERT_TRUE(plugin.error().has_value());
  EXPECT_EQ(ExitCode(*plugin.error()), 69);
  plugin.Stop();
  EXPECT_EQ(ToText(plugin.state()), "failed");  // stopping does not hide the reason
}

TEST(BrokenPlugins, AnExceptionAcrossTheBoundaryIsCaughtAndNamed) {
  PluginInstance plugin(Inspect("throws-across", "throws-across"));
  EXPECT_EQ(FailureOf([&] { StartUp(plugin); }),
            "SH-0124 $DIR/throws-across/throws-across.so: plugin \"throws-across\": start() threw "
            "an exception across the C boundary: no such row. Fix: This is a defect of the plugin; "
            "report it to https://example.com/throws-across.");
}

TEST(BrokenPlugins, AWorkerThatThrowsReportsItAsAnError) {
  PluginInstance plugin(Inspect("throws-in-worker", "throws-in-worker"));
  StartUp(plugin);
  const summa_worker* worker = plugin.Worker("throwing-worker");
  ASSERT_NE(worker, nullptr);
  summa_tick tick{};
  summa_tick_result result{};
  summa_error error{};
  error.struct_size = sizeof(error);
  const std::int32_t status = worker->tick(worker->self, &tick, &result, &error);
  EXPECT_EQ(status, SUMMA_E_INTERNAL);
  EXPECT_EQ(Text(FromPlugin(plugin.manifest(), "worker throwing-worker", status, error)),
            "SH-0126 plugin \"throws-in-worker\": worker throwing-worker failed: row 7 is odd. "
            "Fix: This is a defect of the plugin; report it to "
            "https://example.com/throws-in-worker.");
  EXPECT_EQ(ToText(plugin.state()), "started");
}

TEST(BrokenPlugins, ATextThatDoesNotEndOrIsNoUtf8IsMadeSafe) {
  Manifest manifest;
  manifest.id = "x";
  summa_error error{};
  std::memset(error.message, 'm', sizeof(error.message));
  error.message[1] = static_cast<char>(0xFF);
  std::memcpy(error.code, "XY-0001", 8);
  const Error made = FromPlugin(manifest, "stop()", SUMMA_E_FENCED, error);
  EXPECT_EQ(made.code, "XY-0001");
  EXPECT_EQ(made.message, "plugin \"x\": stop() failed: m?" + std::string(510, 'm'));
  EXPECT_EQ(ExitCode(made), 75);
}

TEST(BrokenPlugins, APluginThatIsNotConfiguredIsNotAskedForExtensions) {
  PluginInstance plugin(Inspect("no-worker", "no-worker"));
  EXPECT_EQ(plugin.Table<summa_status_v1>(SUMMA_STATUS_V1), nullptr);
  EXPECT_THAT(FailureOf([&] { StartUp(plugin); }), StartsWith("SH-0123 "));
  EXPECT_EQ(plugin.Table<summa_status_v1>(SUMMA_STATUS_V1), nullptr);
  EXPECT_EQ(plugin.Table<summa_command_v1>(SUMMA_COMMAND_V1), nullptr);
}

TEST(BrokenPlugins, EveryPromiseOfTheManifestIsAskedFor) {
  const auto failure = [](const std::string& name) {
    PluginInstance plugin(Inspect(name, name));
    return FailureOf([&] { StartUp(plugin); });
  };
  EXPECT_EQ(failure("no-worker"),
            "SH-0123 $DIR/no-worker/no-worker.so: plugin \"no-worker\": the manifest declares "
            "summa.worker/1, but the plugin has none. Fix: This is a defect of the plugin; report "
            "it to https://example.com/no-worker.");
  EXPECT_EQ(failure("no-service"),
            "SH-0123 $DIR/no-service/no-service.so: plugin \"no-service\": the manifest declares "
            "summa.bus/1, but the plugin has none. Fix: This is a defect of the plugin; report it "
            "to https://example.com/no-service.");
  EXPECT_EQ(failure("undeclared-worker"),
            "SH-0123 $DIR/undeclared-worker/undeclared-worker.so: plugin \"undeclared-worker\": "
            "the manifest declares the worker \"other-worker\", but the plugin has none. Fix: This "
            "is a defect of the plugin; report it to https://example.com/undeclared-worker.");
  EXPECT_THAT(failure("unbound"), testing::HasSubstr("SH-0123")) << failure("unbound");
  EXPECT_THAT(failure("unbound"),
              testing::HasSubstr("the worker \"nobody\" is not bound to an object"));
  EXPECT_THAT(failure("half-bus"), testing::HasSubstr("SH-0123"));
  EXPECT_THAT(failure("half-bus"),
              testing::HasSubstr("the function subscribe() of its summa.bus/1 is missing"));
  EXPECT_THAT(failure("half-routes"), testing::HasSubstr("SH-0123"));
  EXPECT_THAT(failure("half-routes"), testing::HasSubstr("its route number 0 is incomplete"));
  EXPECT_THAT(
      failure("no-routes"),
      testing::HasSubstr("the manifest declares summa.endpoint/1, but the plugin has none"));
}

TEST(BrokenPlugins, UnsafePathsAreRefusedWithTheCommandThatMendsThem) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/good.so";
  fs::copy_file(test::PluginPath("good", "good"), path);
  const std::string owner = std::to_string(geteuid());
  const TrustPolicy nobody_else{{0, geteuid()}, {}};
  const auto refusals = [&](const TrustPolicy& policy) {
    return Texts(InspectPlugin(path, policy).refusals);
  };
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  EXPECT_THAT(refusals(nobody_else), IsEmpty());

  ASSERT_EQ(chmod(path.c_str(), 0757), 0);
  EXPECT_THAT(refusals(nobody_else),
              ElementsAre("SH-0102 " + path +
                          ": good.so was refused: the file is writable by every user (mode 0757, "
                          "owner " +
                          owner + "). Fix: chmod o-w " + path + "."));
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);

  ASSERT_EQ(chmod(directory.path().c_str(), 0770), 0);
  const auto by_group = refusals(nobody_else);
  ASSERT_THAT(by_group, SizeIs(1));
  EXPECT_THAT(by_group[0], StartsWith("SH-0102 " + path + ": good.so was refused: its directory " +
                                      directory.path() + " is writable by group "));
  EXPECT_THAT(by_group[0],
              HasSubstr(" (mode 0770, owner " + owner + "). Fix: chmod g-w " + directory.path()));
  EXPECT_THAT(refusals({{geteuid()}, {getegid()}}), IsEmpty());
  ASSERT_EQ(chmod(directory.path().c_str(), 0700), 0);

  const auto by_owner = refusals({{geteuid() + 1}, {}});
  ASSERT_THAT(by_owner, SizeIs(2));  // the file and its directory
  EXPECT_THAT(by_owner[0], HasSubstr("it must belong to root, to the user that runs the host or to "
                                     "the owner of the summa-host program. Fix: chown root " +
                                     path));
}

}  // namespace
}  // namespace summa::host
