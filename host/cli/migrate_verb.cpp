#include <summa/json.hpp>

#include "host/application/schemas.hpp"
#include "host/cli/verbs.hpp"
#include "host/database/migrations.hpp"

namespace summa::host {
namespace {

std::string Json(const std::vector<MigrationStep>& applied,
                 const std::vector<MigrationStep>& pending, const std::string& ledger = {}) {
  const auto write = [](JsonWriter& json, const std::vector<MigrationStep>& steps) {
    json.BeginArray();
    for (const MigrationStep& step : steps) {
      json.BeginObject().Member("plugin", step.plugin).Member("database", step.database);
      json.Member("version", step.version).Member("name", step.name).EndObject();
    }
    json.EndArray();
  };
  JsonWriter json;
  json.BeginObject().TextOrNull("createdLedger", ledger).Key("applied");
  write(json, applied);
  json.Key("pending");
  write(json, pending);
  json.EndObject();
  return json.Take();
}

std::string Text(const std::string& what, const std::vector<MigrationStep>& steps) {
  std::string text;
  for (const MigrationStep& step : steps) {
    text += what + " " + NameOf(step) + "\n";
  }
  return text;
}

VerbResult RunMigrate(const Invocation& call) {
  const LoadedConfiguration loaded = call.Load();
  const Plan plan = PlanPlugins(loaded, call.installed.plugins());
  const Schemas schemas = SchemasOf(loaded.settings, plan);
  ControlPlane control(loaded.settings.ledger);
  VerbResult result;
  // The others get their tables anyway.
  for (const RefusedPlugin& refused : plan.refused) {
    result.errors.insert(result.errors.end(), refused.errors.begin(), refused.errors.end());
  }
  const std::string ledger = call.options.String("create-ledger");
  if (!ledger.empty() && ledger != "plan") {
    throw Failure(
        Error{"SH-0900", "--create-ledger " + ledger + ": unknown layout",
              "Write --create-ledger plan. Summa's own migrations create the deployed layout", "",
              SUMMA_E_USAGE});
  }
  if (call.options.Boolean("dry-run")) {
    std::vector<MigrationStep> pending = Migrations(control, loaded.settings, schemas);
    RequireSound(pending);
    std::erase_if(pending, [](const MigrationStep& step) { return step.applied; });
    result.json = Json({}, pending);
    result.text = ledger.empty() ? "" : "would create a ledger of layout plan\n";
    result.text += pending.empty() ? "nothing to do" : Text("would apply", pending);
    return result;
  }
  if (!ledger.empty()) control.CreatePlanLedger();
  const std::vector<MigrationStep> applied = Migrate(control, loaded.settings, schemas);
  result.json = Json(applied, {}, ledger);
  result.text = ledger.empty() ? "" : "created a ledger of layout plan\n";
  result.text += applied.empty() ? "already up to date" : Text("applied", applied);
  return result;
}

}  // namespace

void AddMigrateVerbs(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "migrate";
  verb.summary = "create or update the tables of the host and its plugins";
  verb.description =
      "Applies the steps of the host, in schema summa_host, and those of the enabled plugins, each "
      "after those of the plugins that it requires. Never changes a table of Summa. It can be run "
      "repeatedly, and on several hosts at the same time. When a step was changed after it was "
      "applied (SH-0435), or the database has one that this release does not know (SH-0436), "
      "nothing is applied. With --create-ledger it first creates the tables of a new ledger, in an "
      "empty database only.";
  verb.options = {
      MakeFlag("dry-run", "list the missing steps, change nothing"),
      MakeOption("create-ledger", Schema::Type::kString,
                 "create the tables of a new ledger; plan: with the planned event store", "",
                 "LAYOUT")};
  verb.exit_codes = {{0, "up to date"},
                     {64, "unknown layout"},
                     {69, "the database is down"},
                     {70, "a step failed"},
                     {77, "the database does not permit it"},
                     {78,
                      "configuration, a step that does not fit, a plugin that cannot run, or "
                      "--create-ledger in a database that is not empty"}};
  verb.example = "summa-host migrate --dry-run";
  verb.run = RunMigrate;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
