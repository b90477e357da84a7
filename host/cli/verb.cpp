#include "host/cli/verb.hpp"

#include <summa/json.hpp>

#include "host/application/status.hpp"

namespace summa::host {

VerbOption MakeOption(std::string name, Schema::Type type, std::string help,
                      std::string default_text, std::string metavar) {
  VerbOption option;
  option.declaration.name = std::move(name);
  option.declaration.schema.type = type;
  option.declaration.schema.help = std::move(help);
  if (!default_text.empty()) option.declaration.schema.default_text = std::move(default_text);
  option.metavar = std::move(metavar);
  return option;
}

VerbOption MakeFlag(std::string name, std::string help) {
  return MakeOption(std::move(name), Schema::Type::kBoolean, std::move(help), "false");
}

VerbOption MakeRepeatable(std::string name, std::string help, std::string metavar) {
  VerbOption option =
      MakeOption(std::move(name), Schema::Type::kList, std::move(help), {}, std::move(metavar));
  option.declaration.schema.items = std::make_shared<Schema>();
  option.declaration.schema.items->type = Schema::Type::kString;
  return option;
}

VerbOption MakeArgument(std::string name, std::string help, std::string metavar) {
  VerbOption option =
      MakeOption(std::move(name), Schema::Type::kString, std::move(help), {}, std::move(metavar));
  option.declaration.positional = true;
  option.declaration.schema.required = true;
  return option;
}

const Discovery& InstalledPlugins::plugins() {
  if (!discovery_) discovery_ = DiscoverPlugins(PluginDirectories(plugin_dirs_), CurrentTrust());
  return *discovery_;
}

std::string ToJson(const Error& error) {
  JsonWriter json;
  WriteError(json, error);
  return json.Take();
}

}  // namespace summa::host
