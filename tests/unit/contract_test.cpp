// What the skin makes of what an author writes: parameters, errors, JSON, sizes.
#include <gmock/gmock.h>

#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <summa/command.hpp>
#include <summa/endpoint.hpp>
#include <summa/error.hpp>
#include <summa/json.hpp>
#include <summa/sql.hpp>
#include <summa/testkit/scripted_sql.hpp>

namespace summa {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::uint32_t TypeOf(const Parameter& parameter) { return parameter.Abi().type; }

TEST(Parameters, HaveTheTypeOfTheirValue) {
  EXPECT_EQ(TypeOf(true), kOidBool);
  EXPECT_EQ(TypeOf(std::int32_t{1}), kOidInt4);
  EXPECT_EQ(TypeOf(std::int16_t{1}), kOidInt4);
  EXPECT_EQ(TypeOf(std::int64_t{1}), kOidInt8);
  EXPECT_EQ(TypeOf(1LL), kOidInt8);
  EXPECT_EQ(TypeOf(1L), kOidInt8);
  EXPECT_EQ(TypeOf(1U), kOidInt8);
  EXPECT_EQ(TypeOf(std::size_t{1}), kOidInt8);
  EXPECT_EQ(TypeOf(1.5), kOidFloat8);
  EXPECT_EQ(TypeOf(1.5F), kOidFloat8);
  EXPECT_EQ(TypeOf("text"), 0u);
  EXPECT_EQ(TypeOf(std::optional<double>(1)), kOidFloat8);
  EXPECT_EQ(Parameter(std::optional<double>()).Abi().data, nullptr);
  EXPECT_EQ(Parameter(nullptr).Abi().data, nullptr);
}

TEST(Parameters, ArriveAsTheyWere) {
  testkit::ScriptedSql sql;
  Session session(sql.table());
  session.Exec("SELECT", {1.5, std::size_t{7}, -3LL, std::int16_t{-2}, std::optional<int>(),
                          std::optional<std::string>("x"), false});
  EXPECT_THAT(sql.Statements().at(0).parameters,
              ElementsAre("1.5", "7", "-3", "-2", "NULL", "x", "false"));
}

TEST(Parameters, OnesThatDoNotFitAreRefused) {
  try {
    const Parameter parameter(std::numeric_limits<std::uint64_t>::max());
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0434");
    EXPECT_THAT(error.what(), HasSubstr("18446744073709551615"));
  }
  static_assert(!std::is_constructible_v<Parameter, char>);
  static_assert(!std::is_constructible_v<Parameter, void*>, "not as a boolean");
}

TEST(Results, InTextFormAreRefused) {
  testkit::ScriptedSql sql;
  summa_sql_v1 table = *sql.table();
  table.result_format = [](const summa_sql_result*) -> std::int32_t { return 0; };
  Session session(&table);
  try {
    session.Exec("SELECT 1");
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0434");
    EXPECT_THAT(error.what(), HasSubstr("text form"));
  }
  // A host that is older than the function cannot be asked.
  table.struct_size = offsetof(summa_sql_v1, result_format);
  EXPECT_NO_THROW(session.Exec("SELECT 1"));
}

TEST(Errors, WithStatusZeroAreDefects) {
  summa_error error = detail::EmptyError();
  EXPECT_EQ(detail::Guard(&error, []() -> std::int32_t { throw Error(SUMMA_OK, "XY-0001", "no"); }),
            SUMMA_E_INTERNAL);
  EXPECT_EQ(error.status, SUMMA_E_INTERNAL);
  EXPECT_STREQ(error.message, "no");
}

TEST(Errors, AreFilledAsFarAsTheCallerKnowsThem) {
  summa_error error;
  std::memset(&error, 'x', sizeof error);
  error.struct_size = offsetof(summa_error, hint);
  detail::Fill(&error, SUMMA_E_DATA, "XY-0001", "message", "hint", "22000");
  EXPECT_EQ(error.status, SUMMA_E_DATA);
  EXPECT_STREQ(error.message, "message");
  EXPECT_EQ(std::string(error.hint, sizeof error.hint), std::string(sizeof error.hint, 'x'));
  error.struct_size = 0;
  detail::Fill(&error, SUMMA_E_USAGE, "", "another");
  EXPECT_EQ(error.status, SUMMA_E_DATA);
  EXPECT_EQ(detail::Fill(nullptr, SUMMA_E_USAGE, "", ""), SUMMA_E_USAGE);
}

TEST(JsonWriter, CanBeUsedAgainAfterTake) {
  JsonWriter json;
  json.BeginObject().Member("a", 1).EndObject();
  EXPECT_EQ(json.Take(), R"({"a":1})");
  EXPECT_EQ(json.text(), "");
  json.BeginArray().Value(2).Value(3).EndArray();
  EXPECT_EQ(json.Take(), "[2,3]");
}

TEST(JsonWriter, WritesTheWidestIntegers) {
  JsonWriter json;
  json.BeginArray();
  json.Value(std::numeric_limits<std::int64_t>::min());
  json.Value(std::numeric_limits<std::uint64_t>::max());
  json.EndArray();
  EXPECT_EQ(json.Take(), "[-9223372036854775808,18446744073709551615]");
}

TEST(Numbers, AreReadWhatTheLocaleSays) {
  EXPECT_EQ(detail::ToNumber("1.5"), 1.5);
  EXPECT_EQ(detail::ToNumber("-2e3"), -2000);
  EXPECT_EQ(detail::ToNumber("1,5"), std::nullopt);
  EXPECT_EQ(detail::ToNumber(""), std::nullopt);
}

}  // namespace
}  // namespace summa
