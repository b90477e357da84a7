#include <summa/json.hpp>

#include "host/application/schemas.hpp"
#include "host/cli/verbs.hpp"
#include "host/database/create_ledger.hpp"
#include "host/database/migrations.hpp"

namespace summa::host {
namespace {

// The ledger that is to be created.
struct NewLedger {
  std::string layout;  // empty: none
  bool partitioned = false;

  std::string Text() const {
    return "a ledger of layout " + layout + (partitioned ? ", partitioned by month" : "");
  }
};

std::string Json(const std::vector<MigrationStep>& applied,
                 const std::vector<MigrationStep>& pending, const NewLedger& ledger = {}) {
  const auto write = [](JsonWriter& json, const std::vector<MigrationStep>& steps) {
    json.BeginArray();
    for (const MigrationStep& step : steps) {
      json.BeginObject().Member("plugin", step.plugin).Member("database", step.database);
      json.Member("version", step.version).Member("name", step.name).EndObject();
    }
    json.EndArray();
  };
  JsonWriter json;
  json.BeginObject().TextOrNull("createdLedger", ledger.layout);
  json.Member("partitioned", ledger.partitioned).Key("applied");
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

NewLedger NewLedgerOf(const Invocation& call, const Schemas& schemas) {
  NewLedger ledger{call.options.String("create-ledger"), call.options.Boolean("partitioned")};
  if (!ledger.layout.empty() && ledger.layout != "plan") {
    throw Failure(
        Error{"SH-0900", "--create-ledger " + ledger.layout + ": unknown layout",
              "Write --create-ledger plan. Summa's own migrations create the deployed layout", "",
              SUMMA_E_USAGE});
  }
  if (ledger.partitioned && ledger.layout.empty()) {
    throw Failure(Error{"SH-0900", "--partitioned without --create-ledger",
                        "Write --create-ledger plan --partitioned. The tables of an existing "
                        "ledger are partitioned by an operation of the plugin maintenance",
                        "", SUMMA_E_USAGE});
  }
  if (ledger.partitioned) RequireGuardStep(schemas.ledger);
  return ledger;
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
  const NewLedger ledger = NewLedgerOf(call, schemas);
  if (call.options.Boolean("dry-run")) {
    std::vector<MigrationStep> pending = Migrations(control, loaded.settings, schemas);
    RequireSound(pending);
    std::erase_if(pending, [](const MigrationStep& step) { return step.applied; });
    result.json = Json({}, pending);
    result.text = ledger.layout.empty() ? "" : "would create " + ledger.Text() + "\n";
    result.text += pending.empty() ? "nothing to do" : Text("would apply", pending);
    return result;
  }
  std::vector<MigrationStep> applied;
  if (ledger.partitioned) {
    applied = control.CreatePartitionedPlanLedger(schemas.ledger);
  } else if (!ledger.layout.empty()) {
    control.CreatePlanLedger();
  }
  for (MigrationStep& step : Migrate(control, loaded.settings, schemas)) {
    applied.push_back(std::move(step));
  }
  result.json = Json(applied, {}, ledger);
  result.text = ledger.layout.empty() ? "" : "created " + ledger.Text() + "\n";
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
      "empty database only; with --partitioned as well, ledger_event is partitioned by month and "
      "guarded by the plugin maintenance, and all of it is one transaction.";
  verb.options = {
      MakeFlag("dry-run", "list the missing steps, change nothing"),
      MakeOption("create-ledger", Schema::Type::kString,
                 "create the tables of a new ledger; plan: with the planned event store", "",
                 "LAYOUT"),
      MakeFlag("partitioned", "with --create-ledger: ledger_event in monthly partitions")};
  verb.exit_codes = {{0, "up to date"},
                     {64, "unknown layout, or --partitioned without --create-ledger"},
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
