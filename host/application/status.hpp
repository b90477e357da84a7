// The JSON of /status, /readyz and `workers list`, exactly as contracts name it. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/database/operations.hpp"
#include "host/error.hpp"
#include "host/schedule/runner.hpp"
#include "summa/json.hpp"

namespace summa::host {

struct PluginReport {
  std::string id, version, state;
  std::optional<Error> error;
  std::string details_json;  // what the plugin says of itself: a JSON object, or empty
  std::optional<Microseconds> details_age = {};  // when it did not answer in time and this is older
  std::string process_json = {};  // of its own process: a JSON object; empty: it has none
};

struct HostReport {
  std::string host, version, state;
  std::vector<PluginReport> plugins;
  std::vector<WorkerReport> workers;
  std::vector<OperationReport> operations = {};  // of the fleet, open and failed, as last read
  std::vector<std::string> workers_of_processes = {};  // the JSON of each
};

struct FailingItem {
  std::string what, why, fix;
  std::string plugin = {};  // who says so; empty: the host
};

// {host, version, state, plugins: [...], workers: [...], operations: [...]}
std::string StatusJson(const HostReport& report);
// Appends the object of a worker as a value.
void WriteWorker(JsonWriter& json, const WorkerRow& worker);
// Appends the array of operations, with what a list shows, as a value.
void WriteOperations(JsonWriter& json, std::span<const OperationReport> operations);
// Appends all that is known of one, as a value.
void WriteOperation(JsonWriter& json, const OperationReport& operation);
// Appends {"code","message","hint","where"} as a value.
void WriteError(JsonWriter& json, const Error& error);
struct Readiness {
  std::vector<FailingItem> failing;   // not ready: 503
  std::vector<FailingItem> warnings;  // somebody should look; still ready
};

// {failing: [{what, why, fix, plugin?}], warnings: [...]}
std::string ReadinessJson(const Readiness& readiness);

}  // namespace summa::host
