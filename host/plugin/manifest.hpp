// The manifest of a plugin: what it is, needs, offers and may be configured with. Read from the ELF
// section .summa.manifest without running any code of the plugin.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/schema.hpp"
#include "host/error.hpp"
#include "host/http/route.hpp"
#include "host/observe/metric_declaration.hpp"
#include "host/operation/operation_kind.hpp"

namespace summa::host {

struct ServiceRequirement {
  std::string service;  // "summa.bus/1"
  std::string alias;    // name in `use:` and in summa.registry/1
  bool optional = false;
  bool many = false;  // all plugins that provide it, or none
};

// The worker of the host itself, see host/settings/host_workers.hpp: no plugin can have its id.
inline constexpr const char* kInboxCleanupId = "inbox-cleanup";

struct WorkerDeclaration {
  enum class Kind { kPeriodic, kContinuous };
  std::string id;  // Summa's worker id, unique in the host
  std::string summary;
  Kind kind = Kind::kPeriodic;
  bool lease = true;
  std::int64_t interval_microseconds = 0;   // periodic
  std::int64_t idle_poll_microseconds = 0;  // continuous: longest pause between two ticks
  std::int64_t max_run_microseconds = 0;    // default of the schedule's key; 0: the host's
};

struct CommandOption {
  std::string name;  // "since"; on the command line "--since"
  Schema schema;     // type, default, required, help
  bool positional = false;
};

struct CommandDeclaration {
  std::string verb;  // "outbox status"
  std::string summary;
  std::string worker;    // a mutating verb takes the lease of this worker; empty: none
  bool streams = false;  // emits rows while it runs
  std::vector<CommandOption> options;
};

// What a role needs on a table: select, insert, update, delete.
struct TablePrivileges {
  std::string table;
  std::vector<std::string> needs;
};

// A step of the plugin's tables: schema/<database>/NNN_<name>.sql.
struct SchemaFile {
  std::string path;
  std::string database;  // "ledger" or "read"
  int number = 0;        // from 1, without gaps
  std::string name;
  std::string sql;  // the text of the file, from its own section; not part of the manifest
};

struct Manifest {
  std::string id, version, summary, vendor, url, license, stability;
  int abi_major = 0, abi_minor = 0;  // lowest host ABI needed
  std::vector<ServiceRequirement> requires_services;
  std::vector<std::string> provides;    // services
  std::vector<std::string> extensions;  // summa.worker/1, ...
  std::vector<WorkerDeclaration> workers;
  std::vector<OperationKind> operations;
  std::vector<CommandDeclaration> commands;
  std::vector<RouteDeclaration> routes;
  std::vector<SchemaFile> schema;                   // by database in their order
  std::vector<CodeDescription> errors;              // the plugin's own codes
  std::vector<std::string> reads, writes, creates;  // tables
  // Exact rights for tables of `reads` and `writes`; others need select, or everything.
  std::vector<TablePrivileges> privileges;
  std::vector<MetricDeclaration> metrics;
  Schema config;
  std::string text;  // as embedded
};

// All of `reads` and `writes` as "schema.table", each once; `schema` is that of the ledger.
std::vector<std::string> TablesOf(const Manifest& manifest, const std::string& schema);

bool IsBus(const Manifest& manifest);  // it provides summa.bus/1

// `file` is the name used in messages. Problems are collected; a manifest with problems is refused.
Manifest ReadManifest(std::string_view text, const std::string& file, Diagnostics& diagnostics);

}  // namespace summa::host
