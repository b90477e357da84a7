// The checks of the doctor: each looks at one thing and reports what it found, good or bad. They
// throw SqlFailure when the database refuses to tell; doctor.cpp makes a finding of that.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/doctor/doctor.hpp"
#include "host/doctor/read_only_database.hpp"

namespace summa::host {

struct CheckContext {
  ReadOnlyDatabase& database;  // the ledger
  const LoadedConfiguration& loaded;
  const Plan& plan;  // the plugins that would run
  const DoctorOptions& options;
  std::vector<Finding>& findings;

  void Ok(std::string check, std::string found) const {
    findings.push_back({std::move(check), Severity::kOk, std::move(found), "", ""});
  }
  void Warn(std::string check, std::string found, std::string expected, std::string fix) const {
    findings.push_back({std::move(check), Severity::kWarning, std::move(found), std::move(expected),
                        std::move(fix)});
  }
  void Error(std::string check, std::string found, std::string expected, std::string fix) const {
    findings.push_back({std::move(check), Severity::kError, std::move(found), std::move(expected),
                        std::move(fix)});
  }
  const std::string& schema() const { return database.settings().schema; }
};

using CheckFunction = void (*)(const CheckContext&);
struct Check {
  const char* name;
  CheckFunction run;
};

// server_checks.cpp
void CheckServerVersion(const CheckContext& context);
void CheckDurability(const CheckContext& context);  // fsync, full_page_writes, synchronous_commit
void CheckSessionSettings(const CheckContext& context);
void CheckConnections(const CheckContext& context);
void CheckClock(const CheckContext& context);
void CheckPooler(const CheckContext& context);
// ledger_checks.cpp
void CheckMigrations(const CheckContext& context);
void CheckReadMigrations(const CheckContext& context);  // context.database: that of read models
void CheckLayout(const CheckContext& context);
void CheckSequences(const CheckContext& context);
void CheckVacuum(const CheckContext& context);
// privilege_checks.cpp
void CheckPrivileges(const CheckContext& context);
// whole_checks.cpp
void CheckWholeTables(const CheckContext& context);
// snapshot_checks.cpp
void CheckTransactions(const CheckContext& context);
void CheckPreparedTransactions(const CheckContext& context);
void CheckReplicationSlots(const CheckContext& context);
// lease_checks.cpp
void CheckLeases(const CheckContext& context);
// operation_checks.cpp
void CheckOperations(const CheckContext& context);

// http_checks.cpp: without the database; never throws for what it finds.
Finding CheckTokenFile(const Settings& settings);  // host.token_file

// Tables that the enabled plugins and the host use, as "schema.table", each once.
std::vector<std::string> TablesInUse(const CheckContext& context);
// "outbox" -> "public.outbox"; what has a schema keeps it.
std::string Qualified(const CheckContext& context, const std::string& table);
// "public.outbox" with both names quoted as SQL needs them.
std::string Quoted(const std::string& qualified);

}  // namespace summa::host
