#include "host/application/schemas.hpp"

namespace summa::host {
namespace {

void AddSteps(const Manifest& manifest, const std::string& database,
              std::vector<SchemaStep>& steps) {
  for (const SchemaFile& file : manifest.schema) {
    if (file.database != database) continue;
    steps.push_back(
        {manifest.id, file.database, file.number, file.name, file.sql, manifest.version});
  }
}

using Function = std::vector<MigrationStep> (ControlPlane::*)(const std::vector<SchemaStep>&);

std::vector<MigrationStep> OfBoth(ControlPlane& control, const Settings& settings,
                                  const Schemas& schemas, Function function) {
  std::vector<MigrationStep> steps = (control.*function)(schemas.ledger);
  if (schemas.read.empty()) return steps;
  ControlPlane read(*settings.read);
  for (MigrationStep& step : (read.*function)(schemas.read)) steps.push_back(std::move(step));
  return steps;
}

}  // namespace

Schemas SchemasOf(const Settings& settings, const Plan& plan) {
  Schemas schemas{HostSteps(), {}};
  for (const PlannedPlugin& plugin : plan.order) {
    AddSteps(*plugin.file->manifest, "ledger", schemas.ledger);
  }
  std::vector<SchemaStep>& read = settings.read ? schemas.read : schemas.ledger;
  for (const PlannedPlugin& plugin : plan.order) AddSteps(*plugin.file->manifest, "read", read);
  return schemas;
}

std::vector<MigrationStep> Migrations(ControlPlane& control, const Settings& settings,
                                      const Schemas& schemas) {
  return OfBoth(control, settings, schemas, &ControlPlane::Migrations);
}

std::vector<MigrationStep> Migrate(ControlPlane& control, const Settings& settings,
                                   const Schemas& schemas) {
  return OfBoth(control, settings, schemas, &ControlPlane::Migrate);
}

std::string NamesOf(const std::vector<MigrationStep>& steps) {
  std::string names;
  for (const MigrationStep& step : steps) names += (names.empty() ? "" : ", ") + NameOf(step);
  return names;
}

}  // namespace summa::host
