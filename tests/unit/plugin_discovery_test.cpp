#include "host/plugin/discovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broken-plugins/plugin_files.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

void Install(const std::string& name, const std::string& folder, const std::string& path) {
  fs::create_directories(fs::path(path).parent_path());
  fs::copy_file(test::PluginPath(folder, name), path);
}

TEST(PluginDiscovery, DirectoriesComeInTheOrderOfTheirPrecedence) {
  setenv("SUMMA_PLUGIN_PATH", "/one::/two", 1);
  const auto directories = PluginDirectories({"/first"});
  unsetenv("SUMMA_PLUGIN_PATH");
  ASSERT_THAT(directories, SizeIs(5));
  EXPECT_EQ(directories[0].path, "/first");
  EXPECT_TRUE(directories[0].named);
  EXPECT_EQ(directories[1].path, "/one");
  EXPECT_EQ(directories[2].path, "/two");
  const fs::path executable = fs::read_symlink("/proc/self/exe");
  EXPECT_EQ(directories[3].path, executable.parent_path().parent_path() / "lib/summa/plugins");
  EXPECT_FALSE(directories[3].named);
  EXPECT_EQ(directories[4].path, "/usr/lib/summa/plugins");
}

TEST(PluginDiscovery, TheEarlierDirectoryWinsAndTheLaterFileIsShownAsShadowed) {
  const test::TemporaryDirectory directory;
  const std::string first = directory.path() + "/a/good.so";
  const std::string second = directory.path() + "/b/renamed.so";
  Install("good", "good", first);
  Install("good", "good", second);
  Install("ring-a", "ring", directory.path() + "/b/ring-a.so");
  const Discovery discovery = DiscoverPlugins(
      {{directory.path() + "/a", true}, {directory.path() + "/b", true}}, CurrentTrust());
  ASSERT_THAT(discovery.files, SizeIs(3));
  EXPECT_EQ(discovery.files[0].path, first);
  EXPECT_EQ(discovery.files[0].shadowed_by, "");
  EXPECT_EQ(discovery.files[1].path, second);
  EXPECT_EQ(discovery.files[1].shadowed_by, first);
  EXPECT_THAT(discovery.files[1].refusals, IsEmpty());
  ASSERT_NE(discovery.Find("good"), nullptr);
  EXPECT_EQ(discovery.Find("good")->path, first);
  EXPECT_NE(discovery.Find("ring-a"), nullptr);
  EXPECT_EQ(discovery.Find("renamed"), nullptr);
}

TEST(PluginDiscovery, ARefusedFileInAnEarlierDirectoryIsNotSilentlyReplaced) {
  const test::TemporaryDirectory directory;
  Install("newer-abi", "newer-abi", directory.path() + "/a/newer-abi.so");
  Install("newer-abi", "newer-abi", directory.path() + "/b/newer-abi.so");
  const Discovery discovery = DiscoverPlugins(
      {{directory.path() + "/a", true}, {directory.path() + "/b", true}}, CurrentTrust());
  ASSERT_NE(discovery.Find("newer-abi"), nullptr);
  EXPECT_EQ(discovery.Find("newer-abi")->path, directory.path() + "/a/newer-abi.so");
  EXPECT_THAT(discovery.Find("newer-abi")->refusals, SizeIs(1));
}

TEST(PluginDiscovery, AFileThatCannotBeReadStandsForItsName) {
  const test::TemporaryDirectory directory;
  test::WriteFile(directory.path() + "/outbox.so", {'x'});
  test::WriteFile(directory.path() + "/notes.txt", {'x'});
  const Discovery discovery = DiscoverPlugins({{directory.path(), true}}, CurrentTrust());
  EXPECT_THAT(discovery.files, SizeIs(1));
  ASSERT_NE(discovery.Find("outbox"), nullptr);
  EXPECT_EQ(discovery.Find("outbox")->refusals.at(0).code, "SH-0113");
}

TEST(PluginDiscovery, ALinkToAPluginInTheSameDirectoryIsNoSecondPlugin) {
  const test::TemporaryDirectory directory;
  Install("good", "good", directory.path() + "/good-1.0.so");
  fs::create_symlink("good-1.0.so", directory.path() + "/good.so");
  const Discovery discovery = DiscoverPlugins({{directory.path(), true}}, CurrentTrust());
  ASSERT_THAT(discovery.files, SizeIs(2));
  EXPECT_THAT(discovery.files[0].refusals, IsEmpty());
  EXPECT_EQ(discovery.files[1].shadowed_by, discovery.files[0].path);
}

TEST(PluginDiscovery, ANamedDirectoryMustExistAndADefaultOneNeedNot) {
  const test::TemporaryDirectory directory;
  const std::string absent = directory.path() + "/absent";
  EXPECT_THAT(DiscoverPlugins({{absent, false}}, CurrentTrust()).problems, IsEmpty());
  const Discovery discovery = DiscoverPlugins({{absent, true}}, CurrentTrust());
  ASSERT_THAT(discovery.problems, SizeIs(1));
  EXPECT_EQ(ToText(discovery.problems[0]),
            "SH-0101 " + absent + ": plugin directory " + absent +
                " does not exist. Fix: Check --plugin-dir and SUMMA_PLUGIN_PATH.");
}

TEST(PluginDiscovery, ADirectoryGivenTwiceIsLookedIntoOnce) {
  const test::TemporaryDirectory directory;
  Install("good", "good", directory.path() + "/good.so");
  const Discovery discovery =
      DiscoverPlugins({{directory.path(), true}, {directory.path() + "/.", true}}, CurrentTrust());
  EXPECT_THAT(discovery.files, SizeIs(1));
  EXPECT_THAT(discovery.directories, ElementsAre(directory.path()));
}

}  // namespace
}  // namespace summa::host
