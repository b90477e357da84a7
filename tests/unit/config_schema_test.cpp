#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/config/schema.hpp"

namespace summa::host {
namespace {

using testing::HasSubstr;

Schema Read(const std::string& yaml) {
  Diagnostics diagnostics;
  const Schema schema = ReadSchema(ParseDocument(yaml, "s", diagnostics), "config", diagnostics);
  for (const Diagnostic& diagnostic : diagnostics) ADD_FAILURE() << ToText(diagnostic);
  return schema;
}

std::string SchemaProblem(const std::string& yaml) {
  Diagnostics diagnostics;
  ReadSchema(ParseDocument(yaml, "s", diagnostics), "config", diagnostics);
  if (diagnostics.size() != 1) return std::to_string(diagnostics.size()) + " problems";
  return ToText(diagnostics[0]);
}

Value Check(const Schema& schema, const std::string& yaml, Diagnostics& diagnostics) {
  const Node node = ParseDocument(yaml, "f", diagnostics);
  return Validate(schema, &node, "p", diagnostics);
}

TEST(Schema, ReadsEveryAttribute) {
  const Schema schema = Read(
      "a: { type: integer, default: 3, min: 1, max: 9, help: Text., examples: [5], secret: true }\n"
      "b: { type: enum, values: [x, y], required: true }\n"
      "c: { type: list, items: { type: duration, min: 1s }, default: [1s, 2s] }\n"
      "d: { type: map, keys: { e: { type: url } }, any_key: { type: boolean } }\n"
      "f: { type: string, default: null, pattern: '[a-z]+' }\n"
      "g: { type: string, nullable: true, replaced_by: f }\n");
  EXPECT_EQ(schema.Find("a")->default_text, "3");
  EXPECT_TRUE(schema.Find("a")->secret);
  EXPECT_TRUE(schema.Find("b")->required);
  EXPECT_EQ(schema.Find("c")->items->min_text, "1s");
  EXPECT_EQ(schema.Find("d")->any_key->type, Schema::Type::kBoolean);
  EXPECT_TRUE(schema.Find("f")->nullable);
  EXPECT_TRUE(schema.Find("g")->deprecated);
}

TEST(Schema, MistakesInASchemaHaveAPlaceAndAFix) {
  EXPECT_THAT(SchemaProblem("a: { type: intger }"), HasSubstr("s:1:4: config.a: unknown type"));
  EXPECT_THAT(SchemaProblem("a: { help: x }"), HasSubstr("the type is missing"));
  EXPECT_THAT(SchemaProblem("a: { type: string, defalt: x }"), HasSubstr("Did you mean default?"));
  EXPECT_THAT(SchemaProblem("a: { type: integer, default: x }"), HasSubstr("not an integer"));
  EXPECT_THAT(SchemaProblem("a: { type: integer, default: 5, max: 4 }"), HasSubstr("maximum 4"));
  EXPECT_THAT(SchemaProblem("a: { type: duration, min: 5 }"), HasSubstr("Missing unit"));
  EXPECT_THAT(SchemaProblem("a: { type: string, pattern: '[' }"), HasSubstr("regular expression"));
  EXPECT_THAT(SchemaProblem("a: { type: enum }"), HasSubstr("has no values"));
  EXPECT_THAT(SchemaProblem("a: { type: list }"), HasSubstr("items"));
  EXPECT_THAT(SchemaProblem("a: { type: map }"), HasSubstr("neither keys nor any_key"));
  EXPECT_THAT(SchemaProblem("a: { type: string, required: true, default: x }"),
              HasSubstr("required"));
  EXPECT_THAT(SchemaProblem("a: { type: string, replaced_by: b }"), HasSubstr("does not exist"));
  EXPECT_THAT(SchemaProblem("a: string"), HasSubstr("attributes of a key are a map"));
  EXPECT_THAT(SchemaProblem("a: { type: boolean, max: 1 }"), HasSubstr("does not fit"));
}

TEST(Validation, FillsDefaultsAndNormalises) {
  const Schema schema = Read(
      "d: { type: duration, default: 48h }\n"
      "m:\n"
      "  type: map\n"
      "  keys: { s: { type: size, default: 4KiB }, b: { type: boolean, default: false } }\n"
      "l: { type: list, items: { type: duration }, default: [1s] }\n"
      "n: { type: number, default: 0.5 }\n");
  Diagnostics diagnostics;
  const Value value = Check(schema, "d: 5s\n", diagnostics);
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_EQ(value.Integer("d"), 5'000'000);
  EXPECT_EQ(value.Find("d")->written, "5s");
  EXPECT_EQ(value.Find("d")->where.line, 1);
  EXPECT_EQ(value.Integer("m.s"), 4096);
  EXPECT_TRUE(value.Find("m.s")->from_default);
  EXPECT_FALSE(value.Boolean("m.b", true));
  EXPECT_EQ(value.Integer("l.0"), 1'000'000);
  EXPECT_EQ(value.String("n"), "0.5");
  EXPECT_EQ(value.Find("l.1"), nullptr);
  EXPECT_EQ(value.String("nope", "else"), "else");
}

TEST(Validation, AbsentAltogetherGivesDefaults) {
  Diagnostics diagnostics;
  const Value value = Validate(Read("a: { type: integer, default: 7 }"), nullptr, "", diagnostics);
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_EQ(value.Integer("a"), 7);
}

TEST(Validation, ReportsAllProblemsAtOnce) {
  const Schema schema = Read(
      "a: { type: integer }\n"
      "b: { type: boolean }\n"
      "c: { type: duration }\n"
      "d: { type: string, required: true }\n");
  Diagnostics diagnostics;
  Check(schema, "a: x\nb: yes\nc: 5\ne: 1\n", diagnostics);
  EXPECT_EQ(diagnostics.size(), 5u);
}

TEST(Validation, StringsAreTakenAsWritten) {
  const Schema schema = Read("a: { type: string }");
  for (const char* text : {"0123", "true", "0x1F", "1e3", "2026-01-01", "12:30"}) {
    Diagnostics diagnostics;
    EXPECT_EQ(Check(schema, std::string("a: ") + text, diagnostics).String("a"), text);
    EXPECT_TRUE(diagnostics.empty());
  }
}

TEST(Validation, IntegersAreDecimalOnly) {
  const Schema schema = Read("a: { type: integer }");
  for (const char* text : {"010", "0x1F", "0o17", "1_000", "+5", "1.0", "1e3", "--1", "", "0b1",
                           "-", "1 000", "99999999999999999999"}) {
    Diagnostics diagnostics;
    Check(schema, std::string("a: ") + text, diagnostics);
    EXPECT_EQ(diagnostics.size(), 1u) << text;
  }
  Diagnostics diagnostics;
  EXPECT_EQ(Check(schema, "a: -9223372036854775808", diagnostics).Integer("a"), INT64_MIN);
  EXPECT_EQ(Check(schema, "a: -0", diagnostics).Integer("a"), 0);
  EXPECT_TRUE(diagnostics.empty());
}

TEST(Validation, BoundsAreInclusive) {
  const Schema schema = Read(
      "a: { type: integer, min: 1, max: 3 }\nd: { type: duration, min: 500ms, max: 60s }\n"
      "s: { type: string, min: 2, max: 3 }\nl: { type: list, max: 1, items: { type: string } }\n");
  Diagnostics good;
  Check(schema, "a: 3\nd: 60s\ns: äöü\nl: [x]", good);
  EXPECT_TRUE(good.empty());
  Diagnostics bad;
  Check(schema, "a: 0\nd: 499.9ms\ns: abcd\nl: [x, y]", bad);
  ASSERT_EQ(bad.size(), 4u);
  EXPECT_THAT(bad[0].problem, HasSubstr("\"0\" is below the minimum 1"));
  EXPECT_THAT(bad[2].problem, HasSubstr("4 characters, which is above the maximum 3"));
}

TEST(Validation, SecretsAreNeverInMessages) {
  const Schema schema = Read(
      "p: { type: string, secret: true, min: 20 }\nu: { type: url, pattern: 'x://.*' }\n"
      "e: { type: enum, values: [a], secret: true }\n");
  Diagnostics diagnostics;
  Check(schema, "p: geheim\nu: y://user:geheim@host\ne: geheim\n", diagnostics);
  ASSERT_EQ(diagnostics.size(), 3u);
  for (const Diagnostic& diagnostic : diagnostics) {
    EXPECT_THAT(ToText(diagnostic), testing::Not(HasSubstr("geheim")));
  }
}

TEST(Validation, UnusableNodesAreNotReportedAgain) {
  const Schema schema = Read("a: { type: integer, required: true }");
  Diagnostics diagnostics;
  Node node = ParseDocument("a: x", "f", diagnostics);
  node.members[0].value.unusable = true;
  EXPECT_TRUE(Validate(schema, &node, "", diagnostics).Find("a")->null);
  EXPECT_TRUE(diagnostics.empty());
}

TEST(Validation, NamesWithPointsAreFound) {
  const Schema schema =
      Read("m: { type: map, any_key: { type: map, keys: { v: { type: integer } } } }");
  Diagnostics diagnostics;
  const Value value = Check(schema, "m: { a: {v: 1}, a.b: {v: 2}, a.b.c: {v: 3} }", diagnostics);
  EXPECT_EQ(value.Integer("m.a.v"), 1);
  EXPECT_EQ(value.Integer("m.a.b.v"), 2);
  EXPECT_EQ(value.Integer("m.a.b.c.v"), 3);
}

TEST(Validation, LongTextsDoNotOverflowThePatternMatcher) {
  const Schema schema = Read("a: { type: string, pattern: '(a|b)*' }");
  Diagnostics diagnostics;
  Check(schema, "a: " + std::string(500'000, 'a'), diagnostics);
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_LT(diagnostics[0].problem.size(), 200u);
}

TEST(JsonSchema, DescribesTypesBoundsAndDefaults) {
  const std::string json =
      ToJsonSchema(Read("a: { type: integer, default: 3, min: 1, help: \"A \\\"b\\\".\" }\n"
                        "m: { type: map, any_key: { type: enum, values: [x] } }\n"
                        "d: { type: duration, required: true, max: 1h }\n"),
                   "Title");
  EXPECT_THAT(json, HasSubstr("\"title\":\"Title\""));
  EXPECT_THAT(json, HasSubstr("{\"type\":\"integer\",\"minimum\":1}"));
  EXPECT_THAT(json, HasSubstr("\"default\":3"));
  EXPECT_THAT(json, HasSubstr("\"description\":\"A \\\"b\\\".\""));
  EXPECT_THAT(json, HasSubstr("\"additionalProperties\":{\"anyOf\":[{\"enum\":[\"x\"]}"));
  EXPECT_THAT(json, HasSubstr("\"required\":[\"d\"]"));
}

}  // namespace
}  // namespace summa::host
