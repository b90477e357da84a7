// Steps of the schemas that the host and its plugins keep in a database, and what a database says
// of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/error.hpp"

namespace summa::host {

// The owner of the host's own steps.
inline constexpr char kHostSchema[] = "host";

// SQL that is applied once, in a transaction of its own.
struct SchemaStep {
  std::string plugin = kHostSchema;  // whose it is
  std::string database = "ledger";   // or "read": what it was written for
  int version = 0;                   // grows within a plugin and database
  std::string name;
  std::string sql;
  std::string release = {};  // of the plugin
};

// The host's own, embedded in the program.
std::vector<SchemaStep> HostSteps();

struct MigrationStep {
  std::string plugin;
  std::string database;
  int version = 0;
  std::string name;
  bool applied = false;
  // Nothing is applied while there is one: SH-0435, the step was another one when it was applied;
  // SH-0436, this release does not know it.
  std::optional<Error> problem = {};
};

// "1 host", "outbox 3 delivery", "balances read 1 tables".
std::string NameOf(const MigrationStep& step);

}  // namespace summa::host
