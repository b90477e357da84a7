#include "engine/build_tables.hpp"

#include <span>

#include "engine/progress_table.hpp"
#include "projections_sql.hpp"

namespace summa::projections {
namespace {

std::span<const summa_projection_table> TablesOf(const summa_projection& projection) {
  return {projection.tables, projection.table_count};
}

std::string ViewOf(const summa_projection_table& table) {
  return "summa_read.\"" + std::string(FromAbi(table.name)) + "\"";
}

}  // namespace

std::string TableOfBuild(std::string_view table, int build) {
  return "summa_read.\"" + std::string(table) + "_" + std::to_string(build) + "\"";
}

void CreateTables(Session& read, const summa_projection& projection, int build) {
  for (const summa_projection_table& table : TablesOf(projection)) {
    const std::string name = TableOfBuild(FromAbi(table.name), build);
    read.Exec("CREATE TABLE " + name + " (" + std::string(FromAbi(table.columns)) + ")");
    // Rows change all the time and stay on their page.
    read.Exec("ALTER TABLE " + name + " SET (fillfactor = 80)");
  }
}

void CreateIndexes(Session& read, const summa_projection& projection, int build) {
  for (const summa_projection_table& table : TablesOf(projection)) {
    for (std::uint32_t i = 0; i < table.index_count; ++i) {
      const std::string name = std::string(FromAbi(table.name)) + "_" + std::to_string(build) +
                               "_i" + std::to_string(i + 1);
      read.Exec("CREATE INDEX IF NOT EXISTS \"" + name + "\" ON " +
                TableOfBuild(FromAbi(table.name), build) + " " +
                std::string(FromAbi(table.indexes[i])));
    }
  }
}

void ShowBuild(Session& read, const summa_projection& projection, int build) {
  const auto create = [](const char* how, const std::string& view, const std::string& table) {
    return how + view + " AS SELECT * FROM " + table;
  };
  const std::string suffix = "_" + std::to_string(build);
  for (const summa_projection_table& table : TablesOf(projection)) {
    const std::string view = ViewOf(table);
    const std::string name(FromAbi(table.name));
    const std::string shown = TableOfBuild(FromAbi(table.name), build);
    if (read.Exec(sql::view_fits, {name, name + suffix}).Value<bool>()) {
      read.Exec(create("CREATE OR REPLACE VIEW ", view, shown));
      continue;
    }
    std::vector<std::string> grants;
    for (const Row row : read.Exec(sql::view_grants, {name})) {
      grants.push_back(row.Get<std::string>("statement"));
    }
    read.Exec("DROP VIEW IF EXISTS " + view);
    read.Exec(create("CREATE VIEW ", view, shown));
    for (const std::string& grant : grants) read.Exec(grant);
  }
}

std::vector<std::string> TableNames(const summa_projection& projection) {
  std::vector<std::string> names;
  for (const summa_projection_table& table : TablesOf(projection)) {
    names.emplace_back(FromAbi(table.name));
  }
  return names;
}

void DropBuild(Session& read, const Build& build) {
  for (const std::string& table : build.tables) {
    // Of a name that later versions do not have.
    const std::string name = table + "_" + std::to_string(build.number);
    if (read.Exec(sql::shows_table, {table, name}).Value<bool>()) {
      read.Exec("DROP VIEW summa_read.\"" + table + "\"");
    }
    read.Exec("DROP TABLE IF EXISTS " + TableOfBuild(table, build.number));
  }
  DeleteBuild(read, build);
}

}  // namespace summa::projections
