#include <algorithm>
#include <summa/json.hpp>

#include "host/application/settings.hpp"
#include "host/cli/verbs.hpp"
#include "host/config/text.hpp"

namespace summa::host {
namespace {

VerbResult Check(const Invocation& call) {
  const Discovery& plugins = call.installed.plugins();
  const LoadedConfiguration loaded = call.Load();
  const Plan plan = PlanPlugins(loaded, plugins);
  VerbResult result;
  for (const RefusedPlugin& refused : plan.refused) {
    result.errors.insert(result.errors.end(), refused.errors.begin(), refused.errors.end());
  }
  std::size_t workers = 0;
  for (const WorkerSettings& worker : loaded.configuration.workers) workers += worker.enabled;
  JsonWriter json;
  json.BeginObject().Member("file", loaded.settings.file).Key("plugins").BeginArray();
  for (const PlannedPlugin& plugin : plan.order) {
    json.BeginObject().Member("id", plugin.id);
    json.Member("version", plugin.file->manifest->version).EndObject();
  }
  json.EndArray().Member("workers", workers).Key("warnings").BeginArray();
  for (const Error& warning : loaded.warnings) json.Raw(ToJson(warning));
  json.EndArray().EndObject();
  result.json = json.Take();
  for (const Error& warning : loaded.warnings) result.text += ToText(warning) + "\n";
  if (!result.errors.empty()) {
    // The configuration is what is checked: whatever refuses a plugin, it cannot run as written.
    result.exit_code = 78;
    if (result.text.empty()) result.text = "not ok: " + loaded.settings.file;
    return result;
  }
  const auto counted = [](std::size_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  result.text += "ok: " + counted(plan.order.size(), "plugin") + ", " + counted(workers, "worker") +
                 ", " + loaded.settings.file;
  return result;
}

std::string ShownText(const Value& value) {
  if (value.secret) return "***";
  if (value.type == Schema::Type::kDuration || value.type == Schema::Type::kSize) {
    return value.written;
  }
  return RedactUrl(value.text);
}

void WriteValues(JsonWriter& json, const std::string& path, const Value& value) {
  const std::string prefix = path.empty() ? "" : path + ".";
  for (const auto& [name, member] : value.members) WriteValues(json, prefix + name, member);
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    WriteValues(json, prefix + std::to_string(i), value.items[i]);
  }
  const bool container = value.type == Schema::Type::kMap || value.type == Schema::Type::kList;
  if (container && !value.null) return;
  json.BeginObject().Member("path", path).Key("value");
  if (value.null) {
    json.Null();
  } else {
    json.Value(ShownText(value));
  }
  const bool given = !value.from_default && value.where.line != 0;
  json.Member("origin", given ? value.where.file + ":" + std::to_string(value.where.line)
                              : std::string("default"));
  json.EndObject();
}

VerbResult Print(const Invocation& call) {
  const LoadedConfiguration loaded = call.Load();
  JsonWriter json;
  json.BeginObject().Member("file", loaded.settings.file).Key("values").BeginArray();
  WriteValues(json, "", loaded.configuration.value);
  json.EndArray().EndObject();
  return {.json = json.Take(), .text = PrintConfiguration(loaded.configuration)};
}

VerbResult PrintSchema(const Invocation& call) {
  std::string schema = ConfigurationJsonSchema(Manifests(call.installed.plugins()));
  std::string one_line = schema;
  // Line breaks stand only between tokens; inside texts they are escaped.
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  JsonWriter json;
  json.BeginObject().Key("schema").Raw(one_line).EndObject();
  return {.json = json.Take(), .text = std::move(schema)};
}

Verb ConfigVerb(std::string words, std::string summary, std::string description,
                VerbResult (*run)(const Invocation&)) {
  Verb verb;
  verb.words = std::move(words);
  verb.summary = std::move(summary);
  verb.description = std::move(description);
  verb.run = run;
  return verb;
}

}  // namespace

void AddConfigVerbs(std::vector<Verb>& verbs) {
  Verb check = ConfigVerb(
      "config check", "check the configuration and everything it needs",
      "Reports all errors in one run, each with file, line and column. Works offline: it reads the "
      "manifests of the installed plugins, runs none of their code and connects to no database.",
      Check);
  check.exit_codes = {{0, "the host would start with it"}, {78, "something is wrong"}};
  check.example = "summa-host config check -c /etc/summa/summa.yaml";
  verbs.push_back(std::move(check));

  Verb print = ConfigVerb(
      "config print", "print the effective configuration",
      "Prints every value with its origin: the file and line, or the default. Secrets are not "
      "printed.",
      Print);
  print.exit_codes = {{0, "printed"}, {78, "something is wrong"}};
  print.example = "summa-host config print";
  verbs.push_back(std::move(print));

  Verb schema =
      ConfigVerb("config schema", "print a JSON Schema of the configuration for editors",
                 "Describes the host's own part and that of every installed plugin.", PrintSchema);
  schema.exit_codes = {{0, "printed"}};
  schema.example = "summa-host config schema > summa.schema.json";
  verbs.push_back(std::move(schema));
}

}  // namespace summa::host
