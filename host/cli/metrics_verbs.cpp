#include <summa/json.hpp>

#include "host/application/settings.hpp"
#include "host/cli/verbs.hpp"
#include "host/observe/host_metrics.hpp"

namespace summa::host {
namespace {

void Write(JsonWriter& json, const MetricDeclaration& metric, std::string_view plugin) {
  json.BeginObject().Member("name", metric.name).Member("type", ToText(metric.type));
  json.Member("labels", metric.labels).TextOrNull("plugin", plugin);
  json.Member("meaning", metric.help).EndObject();
}

VerbResult List(const Invocation& call) {
  JsonWriter json;
  json.BeginObject().Key("metrics").BeginArray();
  for (const MetricDeclaration& each : HostMetrics()) Write(json, each, "");
  for (const Manifest& manifest : Manifests(call.installed.plugins())) {
    for (const MetricDeclaration& each : manifest.metrics) Write(json, each, manifest.id);
  }
  json.EndArray().EndObject();
  return {.json = json.Take()};
}

}  // namespace

void AddMetricsVerbs(std::vector<Verb>& verbs) {
  Verb list;
  list.words = "metrics list";
  list.summary = "list what a host exports at /metrics";
  list.description =
      "Name, type, labels and meaning of the metrics of the host and of every installed plugin, "
      "from "
      "their manifests. A histogram is exported with _bucket, _sum and _count. Needs no "
      "configuration and no running host.";
  list.exit_codes = {{0, "listed"}};
  list.example = "summa-host metrics list --output json";
  list.run = List;
  verbs.push_back(std::move(list));
}

}  // namespace summa::host
