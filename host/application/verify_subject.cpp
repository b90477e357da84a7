#include "host/application/verify_subject.hpp"

#include <filesystem>
#include <utility>

#include "host/plugin/discovery.hpp"

namespace summa::host {
namespace {

using Type = Schema::Type;

// As it would be written in a configuration.
std::string WrittenSample(const Schema& schema) {
  if (schema.default_text) return *schema.default_text;
  if (!schema.examples.empty()) return schema.examples.front();
  switch (schema.type) {
    case Type::kInteger:
    case Type::kNumber:
      return schema.min_text.value_or("1");
    case Type::kDuration:
      return schema.min_text.value_or("1s");
    case Type::kSize:
      return schema.min_text.value_or("1KiB");
    case Type::kBoolean:
      return "false";
    case Type::kEnum:
      return schema.values.empty() ? "" : schema.values.front();
    case Type::kUrl:
      return "http://127.0.0.1:9/";
    case Type::kString:
    case Type::kList:
    case Type::kMap:
      break;
  }
  return "sample";
}

// As the plugin gets it: durations and sizes are numbers.
std::string Sample(const Schema& schema) {
  Schema with_default = schema;
  with_default.default_text = WrittenSample(schema);
  with_default.required = false;
  Diagnostics ignored;  // a text that no pattern allows is given as it is
  const Value value = Validate(with_default, nullptr, "", ignored);
  return value.null ? *with_default.default_text : value.text;
}

// Options that are neither required nor have a default are absent in most calls.
bool IsGiven(const Schema& schema) { return schema.required || schema.default_text.has_value(); }

}  // namespace

Discovery PluginsBeside(const VerifySettings& settings) {
  std::vector<PluginDirectory> directories = PluginDirectories(settings.plugin_dirs);
  const std::string beside =
      std::filesystem::absolute(settings.file).lexically_normal().parent_path().string();
  directories.insert(directories.begin(), {beside, true});
  return DiscoverPlugins(directories, CurrentTrust());
}

Value ConfigurationOf(const Manifest& manifest, const VerifySettings& settings) {
  if (!settings.config.empty()) {
    const LoadedConfiguration loaded = ReadConfiguration(settings.config, PluginsBeside(settings));
    const PluginSettings* own = loaded.configuration.FindPlugin(manifest.id);
    if (own != nullptr) return own->config;
    throw Failure("SH-0903", "the configuration has no plugin \"" + manifest.id + "\"",
                  "Add it under plugins:, or verify it without -c", settings.config);
  }
  Diagnostics diagnostics;
  Value config = Validate(manifest.config, nullptr, "plugins." + manifest.id, diagnostics);
  config.null = false;
  std::vector<Error> errors;
  for (const Diagnostic& problem : diagnostics) {
    Error error = ToError(problem);
    error.hint = "Name a configuration with -c in which the plugin has this key";
    errors.push_back(std::move(error));
  }
  if (!errors.empty()) throw Failures(std::move(errors));
  return config;
}

conformance::Declared DeclaredBy(const Manifest& manifest) {
  conformance::Declared declared;
  declared.id = manifest.id;
  declared.extensions = manifest.extensions;
  declared.provides = manifest.provides;
  declared.operations = !manifest.operations.empty();
  for (const WorkerDeclaration& each : manifest.workers) {
    declared.workers.push_back({each.id, each.lease});
  }
  for (const CommandDeclaration& each : manifest.commands) {
    conformance::DeclaredVerb verb{each.verb, each.worker, each.streams, {}};
    for (const CommandOption& option : each.options) {
      if (IsGiven(option.schema)) verb.options[option.name] = Sample(option.schema);
    }
    declared.verbs.push_back(std::move(verb));
  }
  for (const RouteDeclaration& each : manifest.routes) {
    conformance::DeclaredRoute route{each.method, each.path, !each.body.empty(), {}};
    for (const RouteParameter& parameter : each.parameters) {
      if (!parameter.in_path && !IsGiven(parameter.schema)) continue;
      route.parameters[parameter.name] = Sample(parameter.schema);
    }
    declared.routes.push_back(std::move(route));
  }
  for (const ServiceRequirement& each : manifest.requires_services) {
    declared.requires_services.push_back({each.service, each.alias, each.optional || each.many});
  }
  for (const MetricDeclaration& each : manifest.metrics) declared.metrics.insert(each.name);
  for (const CodeDescription& each : manifest.errors) declared.codes.insert(each.code);
  return declared;
}

}  // namespace summa::host
