#include <filesystem>
#include <summa/json.hpp>
#include <system_error>

#include "host/application/settings.hpp"
#include "host/cli/verbs.hpp"
#include "host/config/text.hpp"
#include "host/database/fleet_orders.hpp"
#include "host/plugin/instance.hpp"
#include "host/plugin/plugin_lock.hpp"

namespace summa::host {
namespace {

std::string_view StateOf(const PluginFile& file) {
  if (!file.shadowed_by.empty()) return "shadowed";
  return ToText(file.refusals.empty() ? PluginState::kInspected : PluginState::kRefused);
}

// Whether a file may be loaded, as far as that is a question of who may have changed it.
struct Trust {
  std::string why_not;         // empty: it may be
  std::optional<bool> locked;  // it is the one in the lock file; nullopt: there is none
};

class TrustJudge {
 public:
  explicit TrustJudge(const Invocation& call)
      : settings_(FindLock(call.global.config, call.installed.plugins())) {
    std::error_code failure;
    if (!settings_) return;
    if (!settings_->required && !std::filesystem::exists(settings_->file, failure)) return;
    std::vector<Error> problems;
    lock_ = ReadPluginLock(settings_->file, policy_, problems);
    if (!problems.empty()) problem_ = problems.front();
  }

  Trust Of(const PluginFile& file) const {
    Trust trust;
    for (const Error& refusal : file.refusals) {
      if (ExitCode(refusal) == SUMMA_E_DENIED && trust.why_not.empty()) {
        trust.why_not = refusal.code + " " + refusal.message;
      }
    }
    if (!lock_ || !file.refusals.empty()) return trust;
    std::optional<Error> error = problem_;
    if (!error) {
      const PluginFile sealed = SealLocked(file, *lock_, policy_);
      if (!sealed.refusals.empty()) error = sealed.refusals.front();
    }
    trust.locked = !error;
    if (error && settings_->required) trust.why_not = error->code + " " + error->message;
    return trust;
  }

 private:
  const std::optional<LockSettings> settings_;
  const TrustPolicy policy_ = CurrentTrust();
  std::optional<PluginLock> lock_;
  std::optional<Error> problem_;  // of the lock file
};

void WriteListed(JsonWriter& json, const PluginFile& file, const Trust& trust) {
  const Manifest none;
  const Manifest& manifest = file.manifest ? *file.manifest : none;
  std::vector<std::string> requires_services, workers;
  for (const ServiceRequirement& each : manifest.requires_services) {
    requires_services.push_back(each.service + (each.optional ? "?" : ""));
  }
  for (const WorkerDeclaration& each : manifest.workers) workers.push_back(each.id);
  json.BeginObject().Member("id", file.Id()).TextOrNull("version", manifest.version);
  json.Member("state", StateOf(file)).Member("path", file.path);
  json.Member("trusted", trust.why_not.empty()).TextOrNull("whyNot", trust.why_not);
  json.Member("locked", trust.locked);
  json.Member("provides", manifest.provides);
  json.Member("requires", requires_services);
  json.Member("workers", workers);
  json.Key("error").Raw(file.refusals.empty() ? "null" : ToJson(file.refusals.front()));
  json.EndObject();
}

VerbResult List(const Invocation& call) {
  const Discovery& discovery = call.installed.plugins();
  JsonWriter json;
  json.BeginObject().Key("plugins").BeginArray();
  const TrustJudge judge(call);
  for (const PluginFile& file : discovery.files) WriteListed(json, file, judge.Of(file));
  json.EndArray().EndObject();
  VerbResult result{.json = json.Take(), .errors = discovery.problems};
  if (discovery.files.empty()) {
    const std::string places = Join(discovery.directories);
    result.text = "no plugins found; looked in: " + (places.empty() ? "nothing" : places);
  }
  return result;
}

void WriteWorkers(JsonWriter& json, const Manifest& manifest) {
  json.Key("workers").BeginArray();
  for (const WorkerDeclaration& each : manifest.workers) {
    const bool periodic = each.kind == WorkerDeclaration::Kind::kPeriodic;
    json.BeginObject().Member("id", each.id);
    json.Member("kind", periodic ? "periodic" : "continuous").Member("lease", each.lease);
    json.TextOrNull("interval", periodic ? FormatDuration(each.interval_microseconds) : "");
    json.Member("summary", each.summary).EndObject();
  }
  json.EndArray();
}

void WriteManifest(JsonWriter& json, const Manifest& manifest) {
  json.Member("id", manifest.id).Member("version", manifest.version);
  json.TextOrNull("summary", manifest.summary).TextOrNull("vendor", manifest.vendor);
  json.TextOrNull("url", manifest.url).TextOrNull("license", manifest.license);
  json.TextOrNull("stability", manifest.stability);
  json.Member("abi", std::to_string(manifest.abi_major) + "." + std::to_string(manifest.abi_minor));
  json.Member("provides", manifest.provides);
  json.Member("extensions", manifest.extensions);
  json.Key("requires").BeginArray();
  for (const ServiceRequirement& each : manifest.requires_services) {
    json.BeginObject().Member("service", each.service).TextOrNull("as", each.alias);
    json.Member("optional", each.optional).EndObject();
  }
  json.EndArray();
  WriteWorkers(json, manifest);
  json.Key("operations").BeginArray();
  for (const OperationKind& each : manifest.operations) {
    json.BeginObject().Member("kind", each.kind).Member("worker", each.worker);
    json.Member("summary", each.summary).EndObject();
  }
  json.EndArray();
  json.Key("commands").BeginArray();
  for (const CommandDeclaration& each : manifest.commands) {
    json.BeginObject().Member("verb", each.verb).TextOrNull("worker", each.worker);
    json.Member("summary", each.summary).EndObject();
  }
  json.EndArray();
  json.Member("reads", manifest.reads);
  json.Member("writes", manifest.writes);
  json.Member("creates", manifest.creates);
  std::vector<std::string> steps;
  for (const SchemaFile& each : manifest.schema) steps.push_back(each.path);
  json.Member("schema", steps);
  json.Key("config").BeginArray();
  for (const auto& [key, schema] : manifest.config.keys) {
    json.BeginObject().Member("key", key).TextOrNull("default", schema.default_text.value_or(""));
    json.Member("required", schema.required).Member("help", schema.help).EndObject();
  }
  json.EndArray().Key("metrics").BeginArray();
  for (const MetricDeclaration& each : manifest.metrics) {
    json.BeginObject().Member("name", each.name).Member("type", ToText(each.type));
    json.Member("labels", each.labels);
    json.Member("help", each.help).EndObject();
  }
  json.EndArray().Key("codes").BeginArray();
  for (const CodeDescription& each : manifest.errors) {
    json.BeginObject().Member("id", each.code).Member("title", each.title).EndObject();
  }
  json.EndArray();
}

VerbResult Inspect(const Invocation& call) {
  const PluginFile file = InspectPlugin(call.options.String("file"), CurrentTrust());
  JsonWriter json;
  json.BeginObject().Member("path", file.path).Member("state", StateOf(file));
  if (file.manifest) WriteManifest(json, *file.manifest);
  json.Member("libraries", file.needed);
  json.EndObject();
  return {.json = json.Take(), .errors = file.refusals};
}

VerbResult Resume(const Invocation& call) {
  const LoadedConfiguration loaded = call.Load();
  const std::string id = call.options.String("plugin");
  if (loaded.configuration.FindPlugin(id) == nullptr) {
    throw Failure(Error{"SH-0903", "the configuration has no plugin \"" + id + "\"",
                        "`summa-host plugins list` lists the installed plugins.",
                        loaded.settings.file, 66});
  }
  const bool changed = FleetOrders(loaded.settings.ledger).ResumePlugin(id);
  JsonWriter json;
  json.BeginObject().Member("id", id).Member("changed", changed).EndObject();
  return {.json = json.Take()};
}

Verb ResumeVerb() {
  Verb verb;
  verb.words = "plugins resume";
  verb.summary = "let hosts start a plugin again after it crashed them";
  verb.description =
      "After a plugin has crashed two hosts outside its workers, no host starts it (SH-0349). This "
      "verb clears the record of the crashes. Running hosts start the plugin only after a restart.";
  verb.options = {MakeArgument("plugin", "the id of the plugin", "PLUGIN")};
  verb.exit_codes = {{0, "resumed, or there was nothing to do"},
                     {66, "the configuration has no such plugin"},
                     {69, "the database is down"},
                     {78, "configuration, or the database is not migrated"}};
  verb.example = "summa-host plugins resume outbox";
  verb.run = Resume;
  return verb;
}

}  // namespace

void AddPluginsVerbs(std::vector<Verb>& verbs) {
  Verb list;
  list.words = "plugins list";
  list.summary = "list the plugins that are installed";
  list.description =
      "Reads the manifests of all files in the plugin directories. No code of a plugin runs. A "
      "file that would not be loaded is listed with the reason. trusted says whether nobody else "
      "may have changed the file, and whyNot why not; locked, whether it is the one in the lock "
      "file that the configuration names.";
  list.exit_codes = {{0, "listed"}, {78, "a plugin directory that was named cannot be read"}};
  list.example = "summa-host plugins list --output json";
  list.run = List;
  verbs.push_back(std::move(list));

  Verb inspect;
  inspect.words = "plugins inspect";
  inspect.summary = "show what a plugin file contains, needs and provides";
  inspect.description =
      "Reads the manifest of a file without running its code: workers, verbs, configuration keys, "
      "tables, metrics. For a file that is refused, it says what was found, what is needed and how "
      "to fix it.";
  inspect.options = {MakeArgument("file", "the plugin, a .so file", "FILE")};
  inspect.exit_codes = {{0, "would be loaded"}, {66, "no such file"}, {78, "would be refused"}};
  inspect.example = "summa-host plugins inspect /usr/lib/summa/plugins/outbox.so";
  inspect.run = Inspect;
  verbs.push_back(std::move(inspect));
  verbs.push_back(ResumeVerb());
}

}  // namespace summa::host
