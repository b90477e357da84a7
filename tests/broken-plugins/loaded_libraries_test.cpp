// A plugin that brings a second version of a library into the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/plugin/instance.hpp"
#include "host/plugin/loaded_libraries.hpp"
#include "tests/broken-plugins/plugin_files.hpp"

extern "C" int summa_clash();

namespace summa::host {
namespace {

using testing::HasSubstr;

TEST(LoadedLibraries, AnotherVersionOfALoadedLibraryIsRefused) {
  EXPECT_EQ(summa_clash(), 0);  // the first version is in this process
  PluginInstance plugin(InspectPlugin(test::PluginPath("clash", "clash"), CurrentTrust()));
  try {
    plugin.Load();
    FAIL() << "it was loaded";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, "SH-0170");
    EXPECT_THAT(failure.error().message,
                HasSubstr("plugin \"clash\" needs libsumma-clash.so.2, and this process has "
                          "already loaded libsumma-clash.so.1"));
    EXPECT_THAT(failure.error().hint, HasSubstr("libsumma-clash.so.1"));
  }
}

TEST(LoadedLibraries, OnlyAnotherVersionIsOne) {
  const std::vector<LoadedLibrary> loaded = {
      {"libspdlog.so.1.10", false}, {"libssl.so.3", true}, {"plugin.so", false}};
  EXPECT_EQ(OtherVersionOf("libspdlog.so.1.10", loaded), nullptr);
  EXPECT_EQ(OtherVersionOf("libfmt.so.9", loaded), nullptr);
  EXPECT_EQ(OtherVersionOf("plugin.so", loaded), nullptr);
  ASSERT_NE(OtherVersionOf("libspdlog.so.1.12", loaded), nullptr);
  EXPECT_FALSE(OtherVersionOf("libspdlog.so.1.12", loaded)->versioned);
  ASSERT_NE(OtherVersionOf("libssl.so.1.1", loaded), nullptr);
  EXPECT_TRUE(OtherVersionOf("libssl.so.1.1", loaded)->versioned);
}

TEST(LoadedLibraries, TheCLibraryHasVersions) {
  bool found = false;
  for (const LoadedLibrary& library : LoadedLibraries()) {
    if (!library.name.starts_with("libc.so.")) continue;
    found = true;
    EXPECT_TRUE(library.versioned);
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace summa::host
