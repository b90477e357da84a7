#include "host/cli/plugin_command.hpp"
#include "host/cli/output.hpp"
#include "host/cli/verbs.hpp"

namespace summa::host {
namespace {

// Longer than the lease of a host that died, at its default.
constexpr const char* kLeaseWait = "20s";

// What the host adds for the lease; a verb may use the name itself.
void AddLeaseWait(Verb& verb, const std::string& worker) {
  verb.description = "Changes data, and takes the lease of worker " + worker +
                     "; a running host releases the lease meanwhile. When the lease cannot be "
                     "obtained, the exit code is 75.";
  for (const VerbOption& option : verb.options) {
    if (option.declaration.name == "wait") return;
  }
  verb.options.push_back(
      MakeOption("wait", Schema::Type::kDuration, "wait this long for the lease", kLeaseWait));
}

}  // namespace

VerbResult RunCommand(const LoadedConfiguration& loaded, const Invocation& call,
                      CommandRequest request) {
  request.options = &call.options;
  request.wait = Microseconds(call.options.Integer("wait"));
  request.emit = [&call](std::string_view row) { call.output.Row(row); };
  request.progress = [&call](std::string_view label, std::int64_t done, std::int64_t total) {
    call.output.Progress(label, done, total);
  };
  return RunPluginCommand(loaded, call.installed.plugins(), request);
}

void AddManifestVerbs(const Discovery& discovery, std::vector<Verb>& verbs) {
  for (const PluginFile& file : discovery.files) {
    if (!file.manifest || !file.shadowed_by.empty() || !file.refusals.empty()) continue;
    for (const CommandDeclaration& declaration : file.manifest->commands) {
      Verb verb;
      verb.words = declaration.verb;
      verb.summary = declaration.summary;
      verb.plugin = file.manifest->id;
      for (const CommandOption& option : declaration.options) verb.options.push_back({option, {}});
      if (!declaration.worker.empty()) AddLeaseWait(verb, declaration.worker);
      verb.run = [plugin = file.manifest->id, declaration](const Invocation& call) {
        CommandRequest request;
        request.plugin = plugin;
        request.declaration = declaration;
        return RunCommand(call.Load(), call, std::move(request));
      };
      verbs.push_back(std::move(verb));
    }
  }
}

}  // namespace summa::host
