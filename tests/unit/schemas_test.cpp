#include "host/application/schemas.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace summa::host {
namespace {

using ::testing::ElementsAre;

PluginFile File(const std::string& id, std::vector<SchemaFile> steps) {
  PluginFile file;
  file.manifest.emplace();
  file.manifest->id = id;
  file.manifest->version = "1.2.0";
  file.manifest->schema = std::move(steps);
  return file;
}

SchemaFile Step(const std::string& database, int number) {
  return {"", database, number, "tables", "SELECT " + std::to_string(number)};
}

// Without the host's own.
std::vector<std::string> Names(const std::vector<SchemaStep>& steps) {
  std::vector<std::string> names;
  for (const SchemaStep& step : steps) {
    if (step.plugin == kHostSchema) continue;
    names.push_back(step.plugin + " " + step.database + " " + std::to_string(step.version));
  }
  return names;
}

TEST(Schemas, ComeInTheOrderOfThePlanBehindThoseOfTheHost) {
  const PluginFile bus = File("bus", {Step("ledger", 1), Step("read", 1), Step("ledger", 2)});
  const PluginFile views = File("views", {Step("ledger", 1), Step("read", 1)});
  Plan plan;
  plan.order = {{"bus", &bus, {}}, {"views", &views, {}}};
  Settings settings;
  const Schemas together = SchemasOf(settings, plan);
  EXPECT_EQ(together.ledger.front().plugin, kHostSchema);
  EXPECT_THAT(Names(together.ledger), ElementsAre("bus ledger 1", "bus ledger 2", "views ledger 1",
                                                  "bus read 1", "views read 1"));
  EXPECT_TRUE(together.read.empty());
  EXPECT_EQ(together.ledger.back().sql, "SELECT 1");
  EXPECT_EQ(together.ledger.back().release, "1.2.0");

  settings.read.emplace();
  const Schemas apart = SchemasOf(settings, plan);
  EXPECT_THAT(Names(apart.ledger), ElementsAre("bus ledger 1", "bus ledger 2", "views ledger 1"));
  EXPECT_THAT(Names(apart.read), ElementsAre("bus read 1", "views read 1"));
  EXPECT_EQ(apart.read.size(), 2U) << "none of the host's";
}

}  // namespace
}  // namespace summa::host
