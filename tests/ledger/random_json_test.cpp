// Canonical texts of random documents against JavaScript itself. SUMMA_JSON_DOCUMENTS: how many
// (20,000); SUMMA_JSON_SEED: repeats a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <summa/error.hpp>
#include <summa/ledger/canonical_json.hpp>

#include "tests/ledger/random_json.hpp"
#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::ledger {
namespace {

constexpr long long kDocuments = 20'000;
constexpr long long kBatch = 50'000;  // documents of one run of node

long long FromEnvironment(const char* name, long long standard) {
  const char* text = std::getenv(name);
  return text == nullptr ? standard : std::atoll(text);
}

bool NodeIsThere() {
  try {
    return test::RunProgram({"node", "--version"}).exit_code == 0;
  } catch (const std::runtime_error&) {
    return false;
  }
}

std::string CanonicalOrError(Canonicalizer& canonicalizer, const std::string& document) {
  try {
    return std::string(canonicalizer.Canonical(document));
  } catch (const Error&) {
    return "error";
  }
}

// What node prints for the documents, one line each.
std::vector<std::string> AskNode(const test::ServerDirectory& directory, std::string input) {
  test::ProcessOptions options;
  options.stdin_text = std::move(input);
  options.stdout_path = directory.Path() + "/canonical";
  std::ofstream(options.stdout_path, std::ios::trunc).close();
  test::RunOrThrow({"node", test::SourceDir() + "/tests/ledger/canonical.mjs"}, options,
                   std::chrono::seconds(240));
  std::ifstream file(options.stdout_path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(std::move(line));
  return lines;
}

// One in twenty is damaged at one place: what JavaScript refuses must be refused. Not where a
// surrogate pair could be torn apart, which JavaScript alone takes.
void Damage(std::string& document, std::mt19937_64& random) {
  if (random() % 20 != 0 || document.find("\\ud") != std::string::npos) return;
  static constexpr char kBytes[] = "{}[],:\"0e.-x";
  char& byte = document[random() % document.size()];
  if ((static_cast<unsigned char>(byte) & 0x80) == 0) byte = kBytes[random() % (sizeof kBytes - 1)];
}

TEST(RandomDocuments, HaveTheCanonicalTextThatJavaScriptGivesThem) {
  if (!NodeIsThere())
    GTEST_SKIP() << "skipped: node is not installed, no oracle for random documents";
  const auto seed = static_cast<std::uint64_t>(
      FromEnvironment("SUMMA_JSON_SEED", static_cast<long long>(std::random_device{}())));
  const long long total = FromEnvironment("SUMMA_JSON_DOCUMENTS", kDocuments);
  SCOPED_TRACE("SUMMA_JSON_SEED=" + std::to_string(seed));
  RandomJson generator(seed);
  std::mt19937_64 random(seed + 1);
  Canonicalizer canonicalizer;
  const test::ServerDirectory directory;
  long long differences = 0, refused = 0;
  for (long long done = 0; done < total && differences < 5; done += kBatch) {
    std::vector<std::string> documents;
    std::string input;
    for (long long i = done; i < std::min(total, done + kBatch); ++i) {
      std::string document = generator.Document();
      Damage(document, random);
      input.append(document).append("\n");
      documents.push_back(std::move(document));
    }
    const std::vector<std::string> expected = AskNode(directory, std::move(input));
    ASSERT_EQ(expected.size(), documents.size());
    for (std::size_t i = 0; i < documents.size() && differences < 5; ++i) {
      const std::string found = CanonicalOrError(canonicalizer, documents[i]);
      refused += found == "error" ? 1 : 0;
      if (found == expected[i]) continue;
      ++differences;
      ADD_FAILURE() << "document " << documents[i] << "\nJavaScript " << expected[i]
                    << "\nours       " << found;
    }
  }
  EXPECT_EQ(differences, 0);
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, total / 10);
}

}  // namespace
}  // namespace summa::ledger
