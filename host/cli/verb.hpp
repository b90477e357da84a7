// What a verb of the command line is: a row of a table. Parsing, help, the man page, output and
// exit codes are made from the row; a verb itself only does its work and says its result as JSON.
//
// Verbs know nothing of the library that parses the command line.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/application/settings.hpp"
#include "host/application/verb_result.hpp"
#include "host/config/schema.hpp"
#include "host/error.hpp"
#include "host/plugin/discovery.hpp"
#include "host/plugin/manifest.hpp"

namespace summa::host {

// Options that every verb takes, before or after its words.
struct GlobalOptions {
  std::string config;                    // -c; empty: looked for
  std::vector<std::string> plugin_dirs;  // --plugin-dir, searched first
  bool json = false;                     // --output json
  bool color = true;                     // still only on a terminal
};

// An option or argument; a boolean is a flag, a list may be given several times.
struct VerbOption {
  CommandOption declaration;
  std::string metavar;  // "FILE"; empty: made from the type
};

class Output;  // output.hpp

// The installed plugins, looked for when first asked. Not thread-safe.
class InstalledPlugins {
 public:
  explicit InstalledPlugins(std::vector<std::string> plugin_dirs)
      : plugin_dirs_(std::move(plugin_dirs)) {}
  const Discovery& plugins();

 private:
  std::vector<std::string> plugin_dirs_;
  std::optional<Discovery> discovery_;
};

struct Invocation {
  const GlobalOptions& global;
  InstalledPlugins& installed;
  const Value& options;  // one member per declared option, defaults filled in
  Output& output;

  LoadedConfiguration Load() const { return ReadConfiguration(global.config, installed.plugins()); }
};

struct Verb {
  std::string words;  // "config check"
  std::string summary;
  std::string description;
  std::vector<VerbOption> options;
  std::vector<std::pair<int, std::string>> exit_codes;
  std::string example;
  std::string plugin;  // whose verb it is; empty: the host's own
  std::function<VerbResult(const Invocation&)> run;
};

// "--only WORKER" and the like; `default_text` empty: none.
VerbOption MakeOption(std::string name, Schema::Type type, std::string help,
                      std::string default_text = {}, std::string metavar = {});
VerbOption MakeFlag(std::string name, std::string help);
VerbOption MakeRepeatable(std::string name, std::string help, std::string metavar);
VerbOption MakeArgument(std::string name, std::string help, std::string metavar);

// The error as a member value: {"code","message","hint","where"}.
std::string ToJson(const Error& error);

}  // namespace summa::host
