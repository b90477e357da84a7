// What a verb of the command line is: a row of a table. Parsing, help, the man page, output and
// exit codes are made from the row; a verb itself only does its work and says its result as JSON.
//
// Verbs know nothing of the library that parses the command line.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// Where a verb that takes long says what it is doing. Thread-safe.
class VerbOutput {
 public:
  virtual ~VerbOutput() = default;
  virtual void Row(std::string_view json_object) = 0;  // a line of a stream of results, on stdout
  virtual void Progress(std::string_view label, std::int64_t done, std::int64_t total) = 0;
};

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
  VerbOutput& output;
};

struct VerbResult {
  std::string json = "{}";  // one object; its members become part of the envelope
  int exit_code = 0;
  std::vector<Error> errors = {};  // the first one gives the envelope its code
  std::string text = {};           // what people see instead of the rendered JSON
  bool threads_left = false;       // the process must end without destructors of static objects
  bool unread = false;             // nobody needs the result: it may fail to be written
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
