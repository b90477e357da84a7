#include <gtest/gtest.h>

#include "host/config/document.hpp"

namespace summa::host {
namespace {

struct Parsed {
  Node root;
  Diagnostics diagnostics;
  std::string Codes() const {
    std::string codes;
    for (const Diagnostic& d : diagnostics) {
      codes +=
          d.code + "@" + std::to_string(d.where.line) + ":" + std::to_string(d.where.column) + " ";
    }
    return codes;
  }
};

Parsed Parse(std::string_view text) {
  Parsed parsed;
  parsed.root = ParseDocument(text, "f.yaml", parsed.diagnostics);
  return parsed;
}

std::string Place(const Node* node) {
  if (node == nullptr) return "absent";
  return std::to_string(node->where.line) + ":" + std::to_string(node->where.column);
}

TEST(Document, KnowsThePlaceOfEveryKeyAndValue) {
  const Parsed parsed = Parse("a: 1\nb:\n  c: [x, y]\n");
  EXPECT_EQ(parsed.Codes(), "");
  EXPECT_EQ(Place(parsed.root.Find("a")), "1:4");
  EXPECT_EQ(parsed.root.members[1].where.line, 2);
  EXPECT_EQ(Place(&parsed.root.Find("b")->Find("c")->items[1]), "3:10");
}

TEST(Document, CountsColumnsInCharacters) {
  const Parsed parsed = Parse("{ é: 1, 金: 2, 😀: 3 }\n");
  EXPECT_EQ(Place(parsed.root.Find("é")), "1:6");
  EXPECT_EQ(Place(parsed.root.Find("金")), "1:12");
  EXPECT_EQ(Place(parsed.root.Find("😀")), "1:18");
}

TEST(Document, ReportsAnEmptyValueAtItsKey) {
  const Parsed parsed = Parse("a:\n\n\nb: ~\nc:\n  nullable: 1\nd: null # no\ne:");
  EXPECT_EQ(Place(parsed.root.Find("a")), "1:1");
  EXPECT_EQ(Place(parsed.root.Find("b")), "4:4");
  EXPECT_EQ(Place(parsed.root.Find("d")), "7:4");
  EXPECT_EQ(Place(parsed.root.Find("e")), "8:1");
  EXPECT_EQ(parsed.root.Find("a")->kind, Node::Kind::kNull);
}

TEST(Document, AcceptsByteOrderMarkAndWindowsLineEnds) {
  const Parsed parsed = Parse(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: \"x\"\r\nc:\r\nd: e\r\n");
  EXPECT_EQ(parsed.Codes(), "");
  EXPECT_EQ(Place(parsed.root.Find("a")), "1:4");
  EXPECT_EQ(parsed.root.Find("b")->text, "x");
  EXPECT_EQ(Place(parsed.root.Find("c")), "3:1");
  EXPECT_EQ(parsed.root.Find("d")->text, "e");
}

TEST(Document, TellsQuotedFromPlain) {
  const Parsed parsed = Parse("a: true\nb: \"true\"\nc: 'null'\nd: |\n  text\n  more\n");
  EXPECT_EQ(parsed.Codes(), "");
  EXPECT_FALSE(parsed.root.Find("a")->quoted);
  EXPECT_TRUE(parsed.root.Find("b")->quoted);
  EXPECT_EQ(parsed.root.Find("c")->kind, Node::Kind::kScalar);
  EXPECT_TRUE(parsed.root.Find("d")->quoted);
  EXPECT_EQ(parsed.root.Find("d")->text, "text\nmore\n");
}

TEST(Document, RefusesAnUnterminatedQuote) {
  EXPECT_EQ(Parse("a: \"abc\nb: 1\n").Codes(), "SH-0210@1:4 ");
  EXPECT_EQ(Parse("a: 'abc").diagnostics.at(0).code, "SH-0210");
  EXPECT_EQ(Parse("a: \"abc\nb: \"x\"\n").Codes(), "SH-0210@1:4 ");
}

TEST(Document, AcceptsEscapedQuotes) {
  const Parsed parsed = Parse("a: \"x\\\"y\\\\\"\nb: 'it''s'\n");
  EXPECT_EQ(parsed.Codes(), "");
  EXPECT_EQ(parsed.root.Find("a")->text, "x\"y\\");
  EXPECT_EQ(parsed.root.Find("b")->text, "it's");
}

TEST(Document, RefusesInvalidUtf8AtItsPlace) {
  EXPECT_EQ(Parse("a: 1\nbé: \xFF\n").Codes(), "SH-0210@2:5 ");
  EXPECT_EQ(Parse("a: \xC0\xAF").Codes(), "SH-0210@1:4 ");          // overlong
  EXPECT_EQ(Parse("a: \xED\xA0\x80").Codes(), "SH-0210@1:4 ");      // surrogate
  EXPECT_EQ(Parse("a: \xF4\x90\x80\x80").Codes(), "SH-0210@1:4 ");  // above U+10FFFF
  EXPECT_EQ(Parse("a: \xE2\x82").Codes(), "SH-0210@1:4 ");          // cut off
  EXPECT_EQ(Parse(std::string_view("\xFF\xFE"
                                   "a\0",
                                   4))
                .Codes(),
            "SH-0210@1:1 ");  // UTF-16
}

TEST(Document, RefusesControlCharacters) {
  EXPECT_EQ(Parse(std::string_view("a: x\0y", 6)).Codes(), "SH-0210@1:5 ");
  EXPECT_EQ(Parse("a: 1\rb: 2").Codes(), "SH-0210@1:5 ");
}

TEST(Document, RefusesDuplicatesAndKeepsTheFirst) {
  const Parsed parsed = Parse("a: 1\nb: {c: 1, c: 2}\na: {d: 1}\n");
  EXPECT_EQ(parsed.Codes(), "SH-0203@2:11 SH-0203@3:1 ");
  EXPECT_EQ(parsed.diagnostics[1].problem, "the key is given twice (first at line 1)");
  EXPECT_EQ(parsed.diagnostics[0].path, "b.c");
  EXPECT_EQ(parsed.root.Find("a")->text, "1");
}

TEST(Document, RefusesAnchorsAliasesTagsAndMergeKeys) {
  EXPECT_EQ(Parse("a: &x 1\nb: *x\n").Codes(), "SH-0211@1:4 SH-0211@2:4 ");
  EXPECT_EQ(Parse("a: &a [*a]\n").Codes(), "SH-0211@1:4 SH-0211@1:8 ");
  EXPECT_EQ(Parse("a: !!int 1\nb: ! x\nc: !t {}\n").Codes(),
            "SH-0211@1:4 SH-0211@2:4 SH-0211@3:4 ");
  EXPECT_EQ(Parse("a: {<<: {b: 1}}\n").Codes(), "SH-0211@1:5 ");
}

TEST(Document, RefusesASecondDocument) {
  EXPECT_EQ(Parse("a: 1\n---\nb: 2\n").diagnostics.size(), 1u);
  EXPECT_EQ(Parse("a: 1\n---\nb: 2\n").diagnostics[0].code, "SH-0211");
  EXPECT_EQ(Parse("---\na: 1\n...\n").Codes(), "");
}

TEST(Document, RefusesARootThatIsNoMap) {
  EXPECT_EQ(Parse("- a\nb: c\n").diagnostics.size(), 1u);
  EXPECT_EQ(Parse("a:1\n").Codes(), "SH-0210@1:1 ");
  EXPECT_EQ(Parse("").Codes(), "SH-0210@1:1 ");
  EXPECT_EQ(Parse("# only\n").Codes(), "SH-0210@1:1 ");
  EXPECT_EQ(Parse("~\n").diagnostics.size(), 1u);
}

TEST(Document, RefusesDeepNestingWithoutRecursion) {
  for (const std::size_t depth : {33u, 400u, 200'000u}) {
    const Parsed parsed = Parse("a: " + std::string(depth, '['));
    ASSERT_LE(parsed.diagnostics.size(), 2u);
    EXPECT_EQ(parsed.diagnostics.back().code, "SH-0212") << depth;
  }
  EXPECT_EQ(Parse("a: " + std::string(31, '[') + std::string(31, ']')).Codes(), "");
}

TEST(Document, RefusesMoreThanOneMebibyte) {
  const std::string line(1023, '#');
  std::string text = "a: 1\n";
  for (int i = 0; i < 1024; ++i) text += line + "\n";
  EXPECT_EQ(Parse(text).diagnostics.at(0).code, "SH-0212");
  EXPECT_EQ(Parse(std::string_view(text).substr(0, 1 << 20)).Codes(), "");
}

TEST(Document, KeepsWhatStoodBeforeAMistake) {
  const Parsed parsed = Parse("a: 1\nb: [x\nc: 2\n");
  EXPECT_FALSE(parsed.diagnostics.empty());
  ASSERT_NE(parsed.root.Find("a"), nullptr);
  EXPECT_EQ(parsed.root.Find("a")->text, "1");
}

TEST(Document, SurvivesEveryTruncationAndEveryFlippedByte) {
  const std::string text =
      "a: {b: [1, \"x\", 'y'], c: }\nd: |\n  é\n? e\n: - f\n  - g: &h *i\n...\n---\n";
  for (std::size_t i = 0; i < text.size(); ++i) {
    Parse(std::string_view(text).substr(0, i));
    for (const char c : {'\0', '\n', '"', '\'', '{', '[', ':', '\t', '\xC3', '-', '*', '!'}) {
      std::string changed = text;
      changed[i] = c;
      const Parsed parsed = Parse(changed);
      EXPECT_EQ(parsed.root.kind, Node::Kind::kMap);
    }
  }
}

TEST(Diagnostic, IsOneLineWithPlacePathProblemAndFix) {
  const Diagnostic diagnostic{"SH-0201",
                              {"summa.yaml", 42, 7},
                              "plugins.outbox.batch_sise",
                              "unknown key",
                              "Did you mean batch_size?"};
  EXPECT_EQ(ToText(diagnostic),
            "summa.yaml:42:7: plugins.outbox.batch_sise: unknown key. Did you mean batch_size?");
}

}  // namespace
}  // namespace summa::host
