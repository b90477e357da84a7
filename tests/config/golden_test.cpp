// Every file of bad/ and good/ against its .expected: the complete output, so that a message that
// becomes worse is seen. SUMMA_UPDATE_GOLDEN=1 rewrites the expected files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "host/settings/configuration.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;

fs::path Folder() {
  const char* source = std::getenv("SUMMA_SOURCE_DIR");
  return fs::path(source == nullptr ? "." : source) / "tests" / "config";
}

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> Files(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(Folder() / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

const std::vector<Manifest>& Manifests() {
  static const std::vector<Manifest> manifests = [] {
    std::vector<Manifest> all;
    for (const fs::path& path : Files("manifests")) {
      Diagnostics diagnostics;
      all.push_back(ReadManifest(ReadText(path), path.filename().string(), diagnostics));
      for (const Diagnostic& diagnostic : diagnostics) ADD_FAILURE() << ToText(diagnostic);
    }
    return all;
  }();
  return manifests;
}

std::optional<std::string> Lookup(const std::string& name) {
  static const std::map<std::string, std::string> variables = {
      {"HOSTNAME", "local"},  // else the machine's own name would be in the expected texts
      {"LEDGER_URL", "postgresql://app:geheim@db.example/summa?sslpassword=geheim"},
      {"BAD_POOL", "geheim"},
      {"SECRET_NUMBER", "4711"},
      {"SECRET_HEX", "0x1267"},
      {"EMPTY", ""}};
  const auto found = variables.find(name);
  if (found == variables.end()) return std::nullopt;
  return found->second;
}

LoadResult Load(const fs::path& path) {
  return LoadConfiguration(ReadText(path), path.filename().string(), Lookup, Manifests());
}

std::string Describe(const LoadResult& result) {
  std::string text;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    text += diagnostic.code + " " + ToText(diagnostic) + "\n";
  }
  return text;
}

void Compare(const fs::path& path, const std::string& actual) {
  SCOPED_TRACE(path.filename().string());
  // What stands for a secret in the inputs; no output may ever have it.
  EXPECT_THAT(actual, testing::Not(testing::HasSubstr("geheim")));
  EXPECT_THAT(actual, testing::Not(testing::HasSubstr("4711")));
  const fs::path expected = fs::path(path).replace_extension(".expected");
  const char* update = std::getenv("SUMMA_UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    std::ofstream(expected, std::ios::binary) << actual;
    return;
  }
  EXPECT_EQ(ReadText(expected), actual);
}

TEST(ConfigurationGolden, BadFilesGiveExactlyTheExpectedDiagnostics) {
  const std::vector<fs::path> files = Files("bad");
  EXPECT_GE(files.size(), 20u);
  for (const fs::path& path : files) {
    const LoadResult result = Load(path);
    EXPECT_FALSE(result.ok()) << path;
    Compare(path, Describe(result));
  }
}

TEST(ConfigurationGolden, GoodFilesPrintExactlyTheExpectedConfiguration) {
  for (const fs::path& path : Files("good")) {
    const LoadResult result = Load(path);
    EXPECT_TRUE(result.ok()) << path << "\n" << Describe(result);
    Compare(path, Describe(result) + PrintConfiguration(result.configuration));
  }
}

TEST(ConfigurationGolden, APrintedConfigurationLoadsAgainToTheSame) {
  for (const fs::path& path : Files("good")) {
    SCOPED_TRACE(path.filename().string());
    std::string first = PrintConfiguration(Load(path).configuration);
    for (std::size_t at = 0; (at = first.find("***", at)) != std::string::npos;) {
      first.replace(at, 3, "not-the-one");
    }
    const LoadResult again = LoadConfiguration(first, "printed.yaml", Lookup, Manifests());
    EXPECT_TRUE(again.ok()) << first << Describe(again);
    const LoadResult third = LoadConfiguration(PrintConfiguration(again.configuration),
                                               "printed.yaml", Lookup, Manifests());
    EXPECT_EQ(again.configuration.workers.size(), third.configuration.workers.size());
  }
}

}  // namespace
}  // namespace summa::host
