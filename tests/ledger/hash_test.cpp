// Canonical JSON and hashes against vectors: our own, and those computed by Summa's code.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <vector>

#include <summa/error.hpp>
#include <summa/ledger/canonical_json.hpp>
#include <summa/ledger/hash.hpp>

#include "tests/services/shared_data.hpp"

namespace summa::ledger {
namespace {

namespace dom = simdjson::dom;

std::string Text(dom::element element) { return std::string(std::string_view(element)); }
std::optional<std::string> OptionalText(dom::element element) {
  if (element.is_null()) return std::nullopt;
  return Text(element);
}
std::optional<std::string> OptionalText(dom::element object, const char* name) {
  dom::element member;
  if (object[name].get(member) != simdjson::SUCCESS) return std::nullopt;
  return OptionalText(member);
}

std::string HashOf(const std::optional<std::string>& previous, std::string_view json,
                   std::string_view key = {}) {
  Canonicalizer canonicalizer;
  Hasher hasher(key);
  return hasher
      .Event(previous ? std::optional<std::string_view>(*previous) : std::nullopt,
             canonicalizer.EventData(json))
      .string();
}

void ExpectBlock(dom::element block, const char* hashes_name, const char* previous_name) {
  Hasher hasher;
  for (dom::element hash : dom::array(block[hashes_name])) hasher.Add(std::string_view(hash));
  const Hash events_hash = hasher.Finish();
  EXPECT_EQ(events_hash, Text(block["eventsHash"]));
  const auto previous = OptionalText(block[previous_name].value());
  EXPECT_EQ(BlockHash(previous ? std::optional<std::string_view>(*previous) : std::nullopt,
                      events_hash.text()),
            Text(block["blockHash"]));
}

class OwnVectors : public testing::Test {
 protected:
  OwnVectors() { root_ = parser_.load(test::SourceDir() + "/tests/ledger/vectors.json"); }
  dom::parser parser_;
  dom::element root_;
};

TEST_F(OwnVectors, CanonicalTextsAndHashesAreThoseOfJavaScript) {
  Canonicalizer canonicalizer;
  int count = 0;
  for (dom::element vector : dom::array(root_["vectors"])) {
    const std::string json = Text(vector["json"]);
    EXPECT_EQ(canonicalizer.Canonical(json), Text(vector["canonical"])) << json;
    EXPECT_EQ(HashOf(std::nullopt, json), Text(vector["hash"])) << json;
    EXPECT_EQ(HashOf(Text(vector["previousHash"]), json), Text(vector["linkedHash"])) << json;
    EXPECT_EQ(HashOf(Text(vector["previousHash"]), json, Text(root_["secret"])),
              Text(vector["keyedHash"]))
        << json;
    ++count;
  }
  EXPECT_GE(count, 13);
}

TEST_F(OwnVectors, BlocksAndMerkleRoots) {
  for (dom::element block : dom::array(root_["blocks"])) {
    ExpectBlock(block, "hashes", "previousBlockHash");
  }
  for (dom::element tree : dom::array(root_["merkleRoots"])) {
    std::vector<std::string> leaves;
    for (dom::element leaf : dom::array(tree["leaves"])) leaves.push_back(Text(leaf));
    EXPECT_EQ(MerkleRoot(leaves), Text(tree["root"]));
  }
}

TEST(Canonicalizer, TakesADocumentOutOfTheStringItWasStoredIn) {
  Canonicalizer canonicalizer;
  EXPECT_EQ(canonicalizer.EventData(R"("{\"b\": 1, \"a\": \"x\\\"y\"}")"), R"({"a":"x\"y","b":1})");
  EXPECT_EQ(canonicalizer.Canonical(R"("{\"b\": 1}")"), R"("{\"b\": 1}")");
  EXPECT_THROW(canonicalizer.EventData(R"("no json inside")"), Error);
}

// So many that a sort which does not keep equal names in their order would show it; every second
// time the name is written with an escape.
TEST(Canonicalizer, KeepsTheLastOfManyMembersOfOneName) {
  constexpr int kNames = 20, kMembers = 400;
  std::string document = "{", expected = "{";
  for (int i = 0; i < kMembers; ++i) {
    const std::string name(1, static_cast<char>('t' - i % kNames));
    const bool escaped = i / kNames % 2 == 1;
    document += (i > 0 ? ", \"" : "\"") + std::string(escaped ? "\\u006b" : "k") + name +
                "\": " + std::to_string(i);
  }
  for (int i = 0; i < kNames; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    expected += (i > 0 ? ",\"k" : "\"k") + name + "\":" + std::to_string(kMembers - 1 - i);
  }
  Canonicalizer canonicalizer;
  EXPECT_EQ(canonicalizer.Canonical(document + "}"), expected + "}");
}

TEST(Canonicalizer, ReadsScalarsAndBlanksAroundThem) {
  Canonicalizer canonicalizer;
  EXPECT_EQ(canonicalizer.Canonical(" 1.50 "), "1.5");
  EXPECT_EQ(canonicalizer.Canonical("\n\"\\u0041\""), "\"A\"");
  EXPECT_EQ(canonicalizer.Canonical("null"), "null");
  EXPECT_EQ(canonicalizer.Canonical("\t{ } "), "{}");
}

TEST(Canonicalizer, RefusesWhatIsNoJsonAndGoesOn) {
  Canonicalizer canonicalizer;
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "[1,]",
                           "{} {}",
                           "[] 1",
                           "1,2",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "1e",
                           "-",
                           "nan",
                           "tru",
                           "{\"a\":01}",
                           "{\"a\":tru}",
                           "\"a",
                           "{\"a\":\"\n\"}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\xff\"}",
                           "{a:1}",
                           "[1 2]",
                           "{\"a\" 1}",
                           "{\"a\":1 \"b\":2}",
                           "[\"a\"x]",
                           "[\"a\":1]",
                           "[\"a\":1,2]",
                           "[1,\"a\":\"b\",\"c\":2]",
                           "[\"a\\n\":1,2]",
                           "[1:2]",
                           "[true:1]",
                           "[null:1,2]",
                           "[[]:1]",
                           "[{}:1]",
                           "[\"a\"\"b\"]",
                           "{\"a\":\"b\":1}",
                           "{\"a\":\"b\":1,\"c\":2}",
                           "{\"a\":1:2}",
                           "{\"a\":true:2}",
                           "{\"a\":[\"b\":1],\"c\":2}",
                           "\"a\":1",
                           "\"\\ud800\""}) {
    EXPECT_THROW(canonicalizer.Canonical(text), Error) << text;
    EXPECT_EQ(canonicalizer.Canonical("{\"b\":1,\"a\":2}"), "{\"a\":2,\"b\":1}")
        << "after " << text;
  }
}

TEST(Canonicalizer, BoundsTheNesting) {
  Canonicalizer canonicalizer;
  const auto nested = [](int levels) {
    return std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']');
  };
  EXPECT_EQ(canonicalizer.Canonical(nested(kMaxJsonLevels)), nested(kMaxJsonLevels));
  EXPECT_THROW(canonicalizer.Canonical(nested(kMaxJsonLevels + 1)), Error);
  EXPECT_THROW(canonicalizer.Canonical(nested(1'000'000)), Error);
}

TEST(Hasher, ForkGoesOnFromWhatWasAdded) {
  Hasher one;
  one.Add("abc");
  Hasher two = one.Fork();
  one.Add("d");
  two.Add("d");
  EXPECT_EQ(one.Finish(), two.Finish());
}

class SummaVectors : public testing::Test {
 protected:
  void SetUp() override {
    const auto shared = test::ForSharedData();
    if (!shared)
      GTEST_SKIP() << "skipped: ../shared/vectors, the vectors of Summa's code, is absent";
    root_ = parser_.load(*shared + "/vectors/hash-chain.json");
  }
  dom::parser parser_;
  dom::element root_;
};

TEST_F(SummaVectors, EveryDocumentAsWrittenAndAsStored) {
  Canonicalizer canonicalizer;
  int count = 0;
  for (dom::element vector : dom::array(root_["vectors"])) {
    const auto previous = OptionalText(vector["prevHash"].value());
    for (const char* source : {"eventDataJson", "jsonbText"}) {
      const std::string json = Text(vector[source]);
      EXPECT_EQ(canonicalizer.Canonical(json), Text(vector["canonical"])) << source << " " << json;
      EXPECT_EQ(HashOf(previous, json), Text(vector["hash"])) << source << " " << json;
    }
    ++count;
  }
  EXPECT_EQ(count, 27);
  for (dom::element vector : dom::array(root_["doubleOverflow"]["cases"])) {
    dom::element json;
    if (vector["eventDataJson"].get(json) != simdjson::SUCCESS) continue;
    EXPECT_EQ(canonicalizer.Canonical(Text(json)), Text(vector["canonical"])) << Text(json);
    EXPECT_EQ(HashOf(std::nullopt, Text(json)), Text(vector["hash"])) << Text(json);
  }
}

TEST_F(SummaVectors, ChainBlocksAndARealRun) {
  for (dom::element event : dom::array(root_["chain"])) {
    EXPECT_EQ(HashOf(OptionalText(event["prevHash"].value()), Text(event["eventDataJson"])),
              Text(event["hash"]));
  }
  for (dom::element block : dom::array(root_["blocks"])) {
    ExpectBlock(block, "eventHashesInSequenceOrder", "prevBlockHash");
  }
  ExpectBlock(root_["blockEdge"], "eventHashesInSequenceOrder", "prevBlockHash");
  for (dom::element row : dom::array(root_["realEvents"]["rows"])) {
    EXPECT_EQ(HashOf(OptionalText(row["prev_hash"].value()), Text(row["jsonb_text"])),
              Text(row["hash"]));
  }
}

TEST_F(SummaVectors, LaterVariantsWithAKeyAndMerkleTrees) {
  const dom::element later = root_["laterUpstream"];
  for (dom::element vector : dom::array(later["hmac"])) {
    dom::element json;
    if (vector["eventDataJson"].get(json) != simdjson::SUCCESS) continue;
    EXPECT_EQ(HashOf(OptionalText(vector, "prevHash"), Text(json),
                     OptionalText(vector, "hmacSecret").value_or("")),
              Text(vector["hash"]));
  }
  Canonicalizer canonicalizer;
  const dom::element checksum = later["checksum"];
  const std::string fields(
      canonicalizer.Canonical(simdjson::to_string(dom::object(checksum["fields"]))));
  Hasher plain, keyed(Text(checksum["hmacSecret"]));
  EXPECT_EQ(plain.Event(std::nullopt, fields), Text(checksum["plain"]));
  EXPECT_EQ(keyed.Event(std::nullopt, fields), Text(checksum["hmac"]));
  dom::array trees;
  ASSERT_EQ(later["merkle"].get(trees), simdjson::SUCCESS);
  for (dom::element tree : trees) {
    std::vector<std::string> leaves;
    for (dom::element leaf : dom::array(tree["leafHashes"])) leaves.push_back(Text(leaf));
    EXPECT_EQ(MerkleRoot(leaves), Text(tree["root"]));
  }
}

}  // namespace
}  // namespace summa::ledger
