#include "host/plugin/config_view.hpp"

#include <gtest/gtest.h>

#include <summa/config.hpp>

namespace summa::host {
namespace {

Value Scalar(Schema::Type type, const std::string& text) {
  Value value;
  value.type = type;
  value.null = false;
  value.text = text;
  return value;
}

Value Map(std::vector<Value::Member> members) {
  Value value;
  value.type = Schema::Type::kMap;
  value.null = false;
  value.members = std::move(members);
  return value;
}

Value Example() {
  Value list;
  list.type = Schema::Type::kList;
  list.null = false;
  list.items = {Scalar(Schema::Type::kString, "account"), Scalar(Schema::Type::kString, "holder")};
  Value null;
  null.type = Schema::Type::kDuration;
  return Map({{"retention", Scalar(Schema::Type::kDuration, "172800000000")},
              {"retry", Map({{"max", Scalar(Schema::Type::kInteger, "20")}})},
              {"partitions", Map({{"public.ledger_event",
                                   Map({{"retain", std::move(null)},
                                        {"ahead", Scalar(Schema::Type::kInteger, "3")}})}})},
              {"read_models", std::move(list)},
              {"empty", Scalar(Schema::Type::kString, "")}});
}

TEST(PluginConfigView, GivesNormalisedValuesByDottedPaths) {
  const Value value = Example();
  const ConfigView view(value);
  const summa::Config config(view.abi());
  EXPECT_EQ(config.Duration("retention"), std::chrono::hours(48));
  EXPECT_EQ(config.Integer("retry.max"), 20);
  EXPECT_EQ(config.String("empty"), "");
}

TEST(PluginConfigView, AbsentNullAndCompoundValuesAreNotSet) {
  const Value value = Example();
  const ConfigView view(value);
  const summa::Config config(view.abi());
  EXPECT_FALSE(config.Find("retri").has_value());
  EXPECT_FALSE(config.Find("retry.max.more").has_value());
  EXPECT_FALSE(config.Find("retry").has_value());
  EXPECT_FALSE(config.Find("read_models").has_value());
  EXPECT_FALSE(config.Find("partitions.public.ledger_event.retain").has_value());
}

TEST(PluginConfigView, MembersOfMapsAndItemsOfListsAreNamed) {
  const Value value = Example();
  const ConfigView view(value);
  const summa::Config config(view.abi());
  EXPECT_EQ(config.Keys(""),
            (std::vector<std::string>{"retention", "retry", "partitions", "read_models", "empty"}));
  EXPECT_EQ(config.Keys("partitions"), (std::vector<std::string>{"public.ledger_event"}));
  EXPECT_EQ(config.Integer("partitions.public.ledger_event.ahead"), 3);
  EXPECT_EQ(config.Keys("read_models"), (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(config.String("read_models.1"), "holder");
  EXPECT_FALSE(config.Find("read_models.2").has_value());
  EXPECT_TRUE(config.Keys("nothing").empty());
}

}  // namespace
}  // namespace summa::host
