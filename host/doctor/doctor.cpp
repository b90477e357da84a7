#include "host/doctor/doctor.hpp"

#include <array>
#include <memory>
#include <optional>

#include "host/application/plugin_set.hpp"
#include "host/application/prepare_database.hpp"
#include "host/doctor/checks.hpp"
#include "host/plugin/health.hpp"

namespace summa::host {
namespace {

// In the order in which a person would look; one that fails does not keep the others from looking.
constexpr std::array<Check, 17> kChecks = {{
    {"server-version", CheckServerVersion},
    {"durability", CheckDurability},
    {"session-settings", CheckSessionSettings},
    {"connections", CheckConnections},
    {"clock", CheckClock},
    {"pooler", CheckPooler},
    {"layout", CheckLayout},
    {"migrations", CheckMigrations},
    {"privileges", CheckPrivileges},
    {"whole-tables", CheckWholeTables},
    {"sequence-cache", CheckSequences},
    {"held-snapshot", CheckTransactions},
    {"prepared-transaction", CheckPreparedTransactions},
    {"replication-slot", CheckReplicationSlots},
    {"autovacuum", CheckVacuum},
    {"lease", CheckLeases},
    {"operations", CheckOperations},
}};

constexpr std::string_view kMayNotConsume = "SH-0140";

Finding FailedCheck(const std::string& check, const Error& error) {
  return {check, Severity::kError, error.code + " " + error.message, "", error.hint};
}

bool Stopped(const std::function<bool()>& should_stop) { return should_stop && should_stop(); }

// What plugins are given. It stays until the process ends when one of them does not return.
struct PluginResources {
  explicit PluginResources(const LoadedConfiguration& loaded) : sql(MakePools(loaded.settings)) {}
  SqlService sql;
  std::optional<PluginSet> plugins;
};

class Doctor {
 public:
  Doctor(const LoadedConfiguration& loaded, const Discovery& plugins, const DoctorOptions& options,
         std::function<bool()> should_stop)
      : loaded_(loaded),
        options_(options),
        should_stop_(std::move(should_stop)),
        plan_(PlanPlugins(loaded, plugins)) {}

  Diagnosis Run() {
    CheckLedger();
    if (loaded_.settings.read) CheckReadDatabase(*loaded_.settings.read);
    diagnosis_.findings.push_back(CheckTokenFile(loaded_.settings));
    ExaminePlugins();
    return std::move(diagnosis_);
  }

 private:
  // A pooler that cannot be used, for example, does not mean that the database is down.
  void ReportFailure(const char* check, const Error& error) {
    if (ExitCode(error) == SUMMA_E_UNAVAILABLE) diagnosis_.database_down = true;
    diagnosis_.findings.push_back(FailedCheck(check, error));
  }

  void CheckLedger() {
    std::unique_ptr<ReadOnlyDatabase> database;
    try {
      database = std::make_unique<ReadOnlyDatabase>(loaded_.settings.ledger);
    } catch (const Failure& failure) {
      ReportFailure("database", failure.error());
      return;
    }
    diagnosis_.findings.push_back(
        {"database", Severity::kOk, "answers: " + database->server(), "", ""});
    const CheckContext context{*database, loaded_, plan_, options_, diagnosis_.findings};
    for (const Check& check : kChecks) {
      if (Stopped(should_stop_)) return;
      try {
        check.run(context);
      } catch (const Failure& failure) {
        diagnosis_.findings.push_back(FailedCheck(check.name, failure.error()));
      }
    }
  }

  void CheckReadDatabase(const DatabaseSettings& settings) {
    try {
      ReadOnlyDatabase database(settings);
      diagnosis_.findings.push_back(
          {"read-database", Severity::kOk,
           "answers: " + database.server() + ", version " + database.Value("SHOW server_version"),
           "", ""});
      CheckReadMigrations({database, loaded_, plan_, options_, diagnosis_.findings});
    } catch (const Failure& failure) {
      ReportFailure("read-database", failure.error());
    }
  }

  void ExaminePlugins() {
    if (Stopped(should_stop_)) return;
    const std::unique_ptr<PluginResources, UnlessCallsAreLeft> resources(
        new PluginResources(loaded_));
    SqlService& sql = resources->sql;
    HostTableSettings table;
    table.version = SUMMA_VERSION;
    table.instance = MakeInstance(loaded_.settings.name);
    table.sql = &sql;
    PluginSet& plugins = resources->plugins.emplace(loaded_.configuration, plan_, table,
                                                    LimitsOf(loaded_.settings, should_stop_));
    plugins.Start();
    for (const PluginReport& report : plugins.Report()) {
      const std::string check = "plugin " + report.id;
      if (report.error) {
        Finding finding = FailedCheck(check, *report.error);
        // It runs where it may consume.
        if (report.error->code == kMayNotConsume) finding.severity = Severity::kWarning;
        diagnosis_.findings.push_back(std::move(finding));
        continue;
      }
      diagnosis_.findings.push_back(
          {check, Severity::kOk, "version " + report.version + " loads and starts", "", ""});
      ExaminePlugin(*plugins.Find(report.id), sql);
    }
    for (const Error& error : plugins.End()) AddOnce(FailedCheck("plugin", error));
  }

  // A plugin that was lost before was named then.
  void AddOnce(Finding finding) {
    for (const Finding& known : diagnosis_.findings) {
      if (known.found == finding.found) return;
    }
    diagnosis_.findings.push_back(std::move(finding));
  }

  // What it reports is listed under its own name.
  void ExaminePlugin(PluginInstance& plugin, const SqlService& sql) {
    Examination examination = Examine(plugin, sql.unleased(), should_stop_);
    for (Finding& finding : examination.findings) {
      finding.check = plugin.id() + " " + finding.check;
      diagnosis_.findings.push_back(std::move(finding));
    }
    if (!examination.error) return;
    diagnosis_.findings.push_back(FailedCheck("plugin " + plugin.id(), *examination.error));
  }

  const LoadedConfiguration& loaded_;
  const DoctorOptions& options_;
  const std::function<bool()> should_stop_;
  const Plan plan_;
  Diagnosis diagnosis_;
};

}  // namespace

Diagnosis Diagnose(const LoadedConfiguration& loaded, const Discovery& plugins,
                   const DoctorOptions& options, const std::function<bool()>& should_stop) {
  return Doctor(loaded, plugins, options, should_stop).Run();
}

}  // namespace summa::host
