#include "host/application/prepare_database.hpp"

#include <unistd.h>

#include <random>

#include "host/config/schema.hpp"
#include "host/database/migrations.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

// worker_lease.holder has 100 characters; the process id and the random part need less than 40.
constexpr std::size_t kMaximumNameInInstance = 60;

Error NotMigrated(std::vector<MigrationStep> steps, const std::string& file) {
  std::erase_if(steps, [](const MigrationStep& step) { return step.applied; });
  if (steps.empty()) return {};
  return {"SH-0412",
          "the database is not migrated and database.migrate is manual; missing: " + NamesOf(steps),
          "Run `summa-host migrate -c " + file + "`, or set database.migrate to auto.", "",
          SUMMA_E_CONFIG};
}

}  // namespace

Layout PrepareDatabase(ControlPlane& control, const Settings& settings, const Schemas& schemas) {
  // The layout first: nothing is created in a database that is not a ledger.
  const Layout layout = control.DetectLayout();
  const bool plan = layout == Layout::kPlan;
  if (settings.layout && *settings.layout != layout) {
    throw Failure(Error{"SH-0415",
                        std::string("the event store has layout ") + (plan ? "plan" : "deployed") +
                            ", but database.ledger.layout says " + (plan ? "deployed" : "plan"),
                        "Set database.ledger.layout to auto, or name the right database.",
                        settings.file, SUMMA_E_CONFIG});
  }
  if (settings.migrate_automatically) {
    const std::string applied = NamesOf(Migrate(control, settings, schemas));
    // One line: of many alike the log shows the first only.
    if (!applied.empty()) Log(LogLevel::kInfo, "", "database migrated", {{"steps", applied}});
    return layout;
  }
  const std::vector<MigrationStep> found = Migrations(control, settings, schemas);
  RequireSound(found);
  Error error = NotMigrated(found, settings.file);
  if (!error.code.empty()) throw Failure(std::move(error));
  return layout;
}

bool IsTransient(const Error& error) {
  const int code = ExitCode(error);
  return code == SUMMA_E_UNAVAILABLE || code == SUMMA_E_TRY_LATER;
}

bool IsOfDatabase(const Error& error) { return error.code.starts_with("SH-04"); }

void LogWaiting(ControlPlane& control, const Error& error, Microseconds again_in) {
  std::string holders;
  if (ExitCode(error) == SUMMA_E_TRY_LATER) {
    try {
      holders = control.LockHolders();
    } catch (const Failure&) {
      // The first error is the one that counts.
    }
  }
  const std::string again = FormatDuration(again_in.count());
  if (holders.empty()) {
    LogError(LogLevel::kWarn, error, {{"again_in", again}});
  } else {
    LogError(LogLevel::kWarn, error, {{"again_in", again}, {"held_by", holders}});
  }
}

std::map<std::string, std::shared_ptr<SessionPool>> MakePools(const Settings& settings) {
  std::map<std::string, std::shared_ptr<SessionPool>> pools;
  pools["ledger"] = std::make_shared<SessionPool>(settings.ledger);
  if (settings.read) pools["read"] = std::make_shared<SessionPool>(*settings.read);
  return pools;
}

std::string MakeInstance(const std::string& host_name) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::random_device random;
  std::string suffix;
  for (int i = 0; i < 8; ++i) suffix += kHex[random() & 15];
  return "summa-host/" + host_name.substr(0, kMaximumNameInInstance) + "/" +
         std::to_string(getpid()) + "/" + suffix;
}

}  // namespace summa::host
