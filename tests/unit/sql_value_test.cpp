// Values, rows and columns of summa.sql/1 as the SDK reads them, without a server.
#include <gmock/gmock.h>

#include <map>

#include "summa/copy_row.hpp"
#include "summa/sql.hpp"

namespace {

using summa::Uuid;
using testing::HasSubstr;

// A result that a test has written down.
struct FakeResult {
  std::vector<std::pair<std::string, std::uint32_t>> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
};

const FakeResult& Of(const summa_sql_result* result) {
  return *reinterpret_cast<const FakeResult*>(result);
}

const summa_sql_v1* FakeTable() {
  static const summa_sql_v1 table = [] {
    summa_sql_v1 made{};
    made.row_count = [](const summa_sql_result* r) { return Of(r).rows.size(); };
    made.column_count = [](const summa_sql_result* r) { return Of(r).columns.size(); };
    made.column_name = [](const summa_sql_result* r, std::size_t column) {
      return summa::ToAbi(Of(r).columns.at(column).first);
    };
    made.column_type = [](const summa_sql_result* r, std::size_t column) {
      return Of(r).columns.at(column).second;
    };
    made.cell = [](const summa_sql_result* r, std::size_t row, std::size_t column,
                   summa_str* value) -> std::int32_t {
      const auto& cell = Of(r).rows.at(row).at(column);
      if (cell) *value = summa::ToAbi(*cell);
      return cell ? 1 : 0;
    };
    made.free_result = [](summa_sql_result* r) { delete reinterpret_cast<FakeResult*>(r); };
    return made;
  }();
  return &table;
}

summa::Result Make(FakeResult result) {
  auto* owned = new FakeResult(std::move(result));
  return {FakeTable(), reinterpret_cast<summa_sql_result*>(owned)};
}

template <typename T>
std::string Binary(T value) {
  std::string bytes;
  summa::detail::AppendBigEndian(bytes, value);
  return bytes;
}

std::string Refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const summa::Error& error) {
    EXPECT_EQ(error.code(), "SH-0434");
    EXPECT_EQ(error.status(), SUMMA_E_DATA);
    return error.what();
  }
  return "nothing was refused";
}

constexpr const char* kId = "0f8fad5b-d9cb-469f-a165-70867728950e";

TEST(UuidTest, IsReadFromTextOfEitherCaseAndWrittenInLowerCase) {
  const auto id = summa::ParseUuid("0F8FAD5B-d9cb-469f-A165-70867728950e");
  ASSERT_TRUE(id);
  EXPECT_EQ(summa::ToText(*id), kId);
  EXPECT_EQ(id->bytes[0], 0x0f);
  EXPECT_EQ(id->bytes[15], 0x0e);
  for (const char* text :
       {"", "0f8fad5b-d9cb-469f-a165-70867728950", "0f8fad5bd9cb469fa16570867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950g", "0f8fad5b-d9cb-469f-a165_70867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950e0", "{0f8fad5b-d9cb-469f-a165-70867728950}"}) {
    EXPECT_FALSE(summa::ParseUuid(text)) << text;
  }
}

TEST(UuidTest, IsOrderedAsInPostgres) {
  const auto low = *summa::ParseUuid("00000000-0000-0000-0000-0000000000ff");
  const auto high = *summa::ParseUuid("01000000-0000-0000-0000-000000000000");
  EXPECT_LT(low, high);
  EXPECT_LT(Uuid{}, low);
  EXPECT_EQ(low, low);
}

TEST(RowTest, GivesEachTypeByName) {
  const Uuid id = *summa::ParseUuid(kId);
  const summa::Result result =
      Make({{{"id", 2950},
             {"big", 20},
             {"normal", 23},
             {"small", 21},
             {"yes", 16},
             {"at", 1184},
             {"real", 701},
             {"name", 1043},
             {"document", 3802}},
            {{std::string(reinterpret_cast<const char*>(id.bytes.data()), 16),
              Binary<std::int64_t>(INT64_MIN), Binary<std::int32_t>(-7), Binary<std::int16_t>(8),
              "\1", Binary<std::int64_t>(9), Binary(std::bit_cast<std::int64_t>(0.25)), "text",
              "\1{\"a\": 1}"}}});
  const summa::Row row = result[0];
  // In another order than that of the columns.
  EXPECT_EQ(row.Get<std::string_view>("name"), "text");
  EXPECT_EQ(row.Get<std::string>("name"), "text");
  EXPECT_EQ(row.Get<Uuid>("id"), id);
  EXPECT_EQ(row.Get<std::int64_t>("big"), INT64_MIN);
  EXPECT_EQ(row.Get<std::int16_t>("small"), 8);
  EXPECT_EQ(row.Get<std::int32_t>("normal"), -7);
  EXPECT_TRUE(row.Get<bool>("yes"));
  EXPECT_EQ(summa::ToMicroseconds(row.Get<summa::DatabaseTime>("at")), 9);
  EXPECT_EQ(row.Get<double>("real"), 0.25);
  EXPECT_EQ(row.Get<summa::Jsonb>("document").text, "{\"a\": 1}");
  EXPECT_EQ(row.Get<std::optional<std::int64_t>>("big"), INT64_MIN);
  EXPECT_EQ(row.Get<summa::RawValue>("small").bytes, std::string_view("\0\10", 2));
  EXPECT_EQ(summa::ReadAs<std::int16_t>(row.Get<summa::RawValue>("small")), 8);
}

TEST(RowTest, RefusesNullUnlessItMayCome) {
  const summa::Result result =
      Make({{{"amount", 20}, {"note", 25}},
            {{Binary<std::int64_t>(1), "x"}, {std::nullopt, std::nullopt}}});
  EXPECT_EQ(result[1].Get<std::optional<std::int64_t>>("amount"), std::nullopt);
  EXPECT_EQ(result[1].Get<std::optional<std::string_view>>("note"), std::nullopt);
  EXPECT_EQ(Refusal([&] { result[1].Get<std::int64_t>("amount"); }),
            "column \"amount\" of row 1 is NULL, expected bigint");
  EXPECT_EQ(Refusal([&] { result[1].Get<std::string_view>("note"); }),
            "column \"note\" of row 1 is NULL, expected text");
  const auto amount = result.Bind<std::int64_t>("amount");
  EXPECT_EQ(result[0].Get(amount), 1);
  EXPECT_THAT(Refusal([&] { result[1].Get(amount); }), HasSubstr("is NULL"));
}

TEST(RowTest, RefusesAnotherTypeAndWidth) {
  const summa::Result result =
      Make({{{"amount", 23}, {"at", 1184}, {"wide", 20}, {"kind", 16385}},
            {{Binary<std::int32_t>(1), Binary<std::int64_t>(1), Binary<std::int32_t>(1), "a"}}});
  EXPECT_EQ(Refusal([&] { result[0].Get<std::int64_t>("amount"); }),
            "column \"amount\" is of the type with OID 23, expected bigint");
  EXPECT_THAT(Refusal([&] { result[0].Get<std::optional<std::int64_t>>("amount"); }),
              HasSubstr("expected bigint"));
  EXPECT_THAT(Refusal([&] { result[0].Get<std::int64_t>("at"); }), HasSubstr("OID 1184"));
  EXPECT_THAT(Refusal([&] { result.Bind<Uuid>("amount"); }), HasSubstr("expected uuid"));
  EXPECT_THAT(Refusal([&] { result[0].Get<std::string_view>("kind"); }), HasSubstr("OID 16385"));
  EXPECT_EQ(Refusal([&] { result[0].Get<std::int64_t>("wide"); }),
            "column \"wide\" of row 0 has 4 bytes, which are not a valid bigint");
}

TEST(RowTest, RefusesANameThatIsNotThereOrThereTwice) {
  const summa::Result result = Make({{{"a", 23}, {"count", 20}, {"count", 20}}, {}});
  EXPECT_EQ(Refusal([&] { result.Bind<std::int32_t>("b"); }),
            "the result has no column \"b\", only a, count, count");
  EXPECT_EQ(Refusal([&] { result.Bind<std::int64_t>("count"); }),
            "two columns of the result are called \"count\"");
  EXPECT_THAT(Refusal([&] { static_cast<void>(result[0]); }), HasSubstr("0 rows"));
}

TEST(RowTest, IsVisitedInOrderAndByBoundColumns) {
  FakeResult many{{{"n", 23}, {"text", 25}}, {}};
  for (int i = 0; i < 100; ++i) many.rows.push_back({Binary<std::int32_t>(i), std::to_string(i)});
  const summa::Result result = Make(std::move(many));
  const auto n = result.Bind<std::int32_t>("n");
  int seen = 0;
  for (const summa::Row row : result) {
    EXPECT_EQ(row.Get(n), seen);
    EXPECT_EQ(row.Get<std::string_view>("text"), std::to_string(seen));
    ++seen;
  }
  EXPECT_EQ(seen, 100);
}

TEST(ResultTest, GivesTheValueOfOneRowWithOneColumn) {
  EXPECT_EQ(Make({{{"count", 20}}, {{Binary<std::int64_t>(5)}}}).Value<std::int64_t>(), 5);
  EXPECT_EQ(Make({{{"max", 20}}, {{std::nullopt}}}).Value<std::optional<std::int64_t>>(),
            std::nullopt);
  EXPECT_THAT(Refusal([] {
                Make({{{"count", 20}}, {}}).Value<std::int64_t>();
              }),
              HasSubstr("0 rows of 1 columns"));
  EXPECT_THAT(Refusal([] {
                Make({{{"a", 20}, {"b", 20}}, {{"", ""}}}).Value<std::int64_t>();
              }),
              HasSubstr("1 rows of 2 columns"));
}

std::string Field(const std::optional<std::string>& bytes) {
  if (!bytes) return Binary<std::int32_t>(-1);
  return Binary(static_cast<std::int32_t>(bytes->size())) + *bytes;
}
const std::string kCopyHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);

TEST(CopyRowTest, ReadsFieldsInOrder) {
  summa::CopyRow row;
  const std::string first = kCopyHeader + Binary<std::int16_t>(3) + Field(Binary<std::int64_t>(5)) +
                            Field("abc") + Field(std::nullopt);
  ASSERT_TRUE(row.Open(first));
  EXPECT_EQ(row.Next<std::int64_t>(), 5);
  EXPECT_EQ(row.Next<std::string_view>(), "abc");
  EXPECT_EQ(row.Next<std::optional<Uuid>>(), std::nullopt);
  EXPECT_EQ(Refusal([&] { row.Next<bool>(); }),
            "a copied row has 3 fields, and one more was requested");
  const std::string second = Binary<std::int16_t>(1) + Field(std::string("\1"));
  ASSERT_TRUE(row.Open(second));
  EXPECT_TRUE(row.Next<bool>());
  EXPECT_FALSE(row.Open(Binary<std::int16_t>(-1)));
}

TEST(CopyRowTest, HasNoRowWhenTheTableIsEmpty) {
  summa::CopyRow row;
  EXPECT_FALSE(row.Open(kCopyHeader + Binary<std::int16_t>(-1)));
}

TEST(CopyRowTest, RefusesNullAnotherWidthAndATornRow) {
  summa::CopyRow row;
  const std::string message =
      kCopyHeader + Binary<std::int16_t>(2) + Field(std::nullopt) + Field(Binary<std::int32_t>(5));
  ASSERT_TRUE(row.Open(message));
  EXPECT_EQ(Refusal([&] { row.Next<std::int64_t>(); }),
            "field 1 of a copied row is NULL, expected bigint");
  EXPECT_EQ(Refusal([&] { row.Next<std::int64_t>(); }),
            "field 2 of a copied row has 4 bytes, which are not a valid bigint");
  summa::CopyRow torn;
  ASSERT_TRUE(torn.Open(std::string_view(message).substr(0, message.size() - 1)));
  EXPECT_EQ(torn.Next<std::optional<bool>>(), std::nullopt);
  EXPECT_EQ(Refusal([&] { torn.Next<std::int32_t>(); }), "a copied row is truncated");
}

}  // namespace
