#include "host/application/status.hpp"

#include <span>

namespace summa::host {

void WriteError(JsonWriter& json, const Error& error) {
  json.BeginObject();
  json.Member("code", error.code).Member("message", error.message);
  json.TextOrNull("hint", error.hint).TextOrNull("where", error.where);
  json.EndObject();
}

// Only when there is something to say; known to whoever reads the database.
static void WriteWhoStopped(JsonWriter& json, const WorkerRow& worker) {
  if (!worker.paused_by.empty()) {
    json.Key("pause").BeginObject().Member("by", worker.paused_by);
    json.TextOrNull("reason", worker.paused_reason).Member("since", worker.paused_since);
    json.EndObject();
  }
  if (!worker.parked_on.empty()) json.Member("parkedOn", worker.parked_on);
}

void WriteWorker(JsonWriter& json, const WorkerRow& worker) {
  json.BeginObject();
  json.Member("id", worker.id).Member("kind", worker.kind);
  json.Member("state", worker.state).TextOrNull("holder", worker.holder);
  json.Member("fence", worker.fence).TextOrNull("leaseUntil", worker.lease_until);
  json.TextOrNull("lastRunAt", worker.last_run_at);
  json.TextOrNull("lastSuccessAt", worker.last_success_at);
  json.TextOrNull("nextDueAt", worker.next_due_at);
  json.Member("paused", worker.paused).TextOrNull("lastError", worker.last_error);
  WriteWhoStopped(json, worker);
  json.EndObject();
}

// What a list shows of an operation; the object stays open.
static void BeginOperation(JsonWriter& json, const OperationReport& operation) {
  std::optional<std::int64_t> speed;
  if (operation.rows_per_second) speed = static_cast<std::int64_t>(*operation.rows_per_second);
  json.BeginObject().Member("id", std::to_string(operation.id));
  json.Member("plugin", operation.plugin).Member("kind", operation.kind);
  json.Member("state", operation.state).TextOrNull("phase", operation.phase);
  json.Member("done", operation.done).Member("total", operation.total);
  json.Member("rate", operation.rate).Member("rowsPerSecond", speed);
  json.Member("etaSeconds", operation.SecondsLeft());
  json.TextOrNull("holder", operation.holder).TextOrNull("error", operation.error);
  json.TextOrNull("updatedAt", operation.updated_at);
}

void WriteOperations(JsonWriter& json, std::span<const OperationReport> operations) {
  json.BeginArray();
  for (const OperationReport& operation : operations) {
    BeginOperation(json, operation);
    json.EndObject();
  }
  json.EndArray();
}

void WriteOperation(JsonWriter& json, const OperationReport& operation) {
  BeginOperation(json, operation);
  json.Member("cursor", operation.cursor).Key("arguments").Raw(operation.arguments);
  json.Member("version", operation.version).Member("batches", operation.batches);
  json.Member("worker", operation.worker).Member("fence", operation.fence);
  json.TextOrNull("host", operation.host).Member("requestedBy", operation.requested_by);
  json.TextOrNull("steeredBy", operation.steered_by).Member("failures", operation.failures);
  json.TextOrNull("retryAt", operation.retry_at).Member("createdAt", operation.created_at);
  json.TextOrNull("startedAt", operation.started_at);
  json.TextOrNull("finishedAt", operation.finished_at).EndObject();
}

std::string StatusJson(const HostReport& report) {
  JsonWriter json;
  json.BeginObject();
  json.Member("host", report.host).Member("version", report.version).Member("state", report.state);
  json.Key("plugins").BeginArray();
  for (const PluginReport& plugin : report.plugins) {
    json.BeginObject();
    json.Member("id", plugin.id).Member("version", plugin.version).Member("state", plugin.state);
    json.Key("error");
    if (plugin.error) {
      WriteError(json, *plugin.error);
    } else {
      json.Null();
    }
    if (!plugin.details_json.empty()) json.Key("details").Raw(plugin.details_json);
    if (plugin.details_age) json.Member("detailsAgeMs", plugin.details_age->count() / 1000);
    if (!plugin.process_json.empty()) json.Key("process").Raw(plugin.process_json);
    json.EndObject();
  }
  json.EndArray();
  json.Key("workers").BeginArray();
  for (const WorkerReport& worker : report.workers) WriteWorker(json, worker);
  for (const std::string& worker : report.workers_of_processes) json.Raw(worker);
  json.EndArray().Key("operations");
  WriteOperations(json, report.operations);
  json.EndObject();
  return json.Take();
}

std::string ReadinessJson(const Readiness& readiness) {
  const auto write = [](JsonWriter& json, std::span<const FailingItem> items) {
    json.BeginArray();
    for (const FailingItem& item : items) {
      json.BeginObject();
      json.Member("what", item.what).Member("why", item.why).Member("fix", item.fix);
      if (!item.plugin.empty()) json.Member("plugin", item.plugin);
      json.EndObject();
    }
    json.EndArray();
  };
  JsonWriter json;
  json.BeginObject().Key("failing");
  write(json, readiness.failing);
  json.Key("warnings");
  write(json, readiness.warnings);
  return json.EndObject().Take();
}

}  // namespace summa::host
