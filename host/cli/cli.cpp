#include "host/cli/cli.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

#include "host/application/settings.hpp"
#include "host/cli/command_line.hpp"
#include "host/cli/completion.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"
#include "host/cli/standard_streams.hpp"
#include "host/cli/verbs.hpp"
#include "host/find.hpp"
#include "host/observe/log.hpp"
#include "host/plugin/call_thread.hpp"

namespace summa::host {
namespace {

std::vector<Verb> HostVerbs() {
  std::vector<Verb> verbs;
  AddRunVerbs(verbs);
  AddConfigVerbs(verbs);
  AddPluginsVerbs(verbs);
  AddPluginsLockVerb(verbs);
  AddNewPluginVerb(verbs);
  AddVerifyPluginVerb(verbs);
  AddWorkersVerbs(verbs);
  AddWorkerOrdersVerbs(verbs);
  AddOperationVerbs(verbs);
  AddBusVerbs(verbs);
  AddStatusVerbs(verbs);
  AddMetricsVerbs(verbs);
  AddDoctorVerbs(verbs);
  AddMigrateVerbs(verbs);
  AddExplainVerbs(verbs);
  AddVersionVerbs(verbs);
  Verb help;
  help.words = "help";
  help.summary = "show this overview, the help of a verb, the man page, or a completion";
  help.description =
      "Prints what --help prints; with --man, the man page in troff; with --completion, the script "
      "with which a shell completes verbs and options.";
  VerbOption verb = MakeArgument("verb", "the verb to explain", "VERB");
  verb.declaration.schema.required = false;
  VerbOption completion =
      MakeOption("completion", Schema::Type::kEnum, "print the completion of this shell");
  completion.declaration.schema.values = {"bash", "zsh"};
  help.options = {verb, MakeFlag("man", "print the man page"), completion};
  help.exit_codes = {{0, "printed"}, {64, "no such verb"}};
  help.example = "summa-host help --man > summa-host.1";
  verbs.push_back(std::move(help));  // answered by the dispatcher, which has the table
  return verbs;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (word.starts_with('-')) break;
    text += (text.empty() ? "" : " ") + word;
  }
  std::replace(text.begin(), text.end(), ':', ' ');
  return text;
}

bool IsHelp(const std::string& word) { return word == "--help" || word == "-h"; }

class Dispatcher {
 public:
  Dispatcher(GlobalParse parse, Output& output)
      : global_(std::move(parse.options)),
        words_(std::move(parse.rest)),
        output_(output),
        installed_(global_.plugin_dirs),
        verbs_(HostVerbs()) {}

  int Run() {
    if (words_.empty()) {
      throw Failure("SH-0900", "no verb is given", "`summa-host --help` lists the verbs.");
    }
    if (words_.front() == "--version") words_.front() = "version";
    if (IsHelp(words_.front()) || words_.front() == "help") return Help();
    const VerbMatch match = Match();
    if (match.verb == nullptr) return Unknown();
    output_.SetCommand(match.verb->words);
    const VerbParse parse = ParseVerbOptions(*match.verb, match.rest);
    if (parse.help) {
      return output_.Text(VerbHelp(*match.verb));
    }
    const VerbResult result = match.verb->run({global_, installed_, parse.options, output_});
    const int exit_code = output_.Finish(result);
    if (result.threads_left) _exit(exit_code);
    return exit_code;
  }

 private:
  void AddVerbsOfPlugins() {
    if (std::exchange(plugins_added_, true)) return;
    AddManifestVerbs(installed_.plugins(), verbs_);
  }

  // The plugins are asked only when a verb of theirs may be meant: `summa-host version` must work
  // whatever lies in a plugin directory.
  VerbMatch Match() {
    VerbMatch match = FindVerb(verbs_, words_);
    const bool more_words =
        match.verb != nullptr && !match.rest.empty() && !match.rest.front().starts_with('-');
    if (match.verb != nullptr && !more_words) return match;
    AddVerbsOfPlugins();
    return FindVerb(verbs_, words_);
  }

  int Help() {
    words_.erase(words_.begin());
    if (Contains(words_, "--man")) {
      return output_.Text(ManPage(verbs_));
    }
    if (Contains(words_, "--completion")) return Completion();
    std::erase_if(words_, IsHelp);
    AddVerbsOfPlugins();
    if (words_.empty()) {
      return output_.Text(OverviewHelp(verbs_));
    }
    const VerbMatch match = FindVerb(verbs_, words_);
    if (match.verb == nullptr) return Unknown();
    return output_.Text(VerbHelp(*match.verb));
  }

  int Completion() {
    const auto option = std::find(words_.begin(), words_.end(), "--completion");
    const std::string shell = option + 1 == words_.end() ? "" : *(option + 1);
    if (shell == "bash") return output_.Text(BashCompletion(verbs_));
    if (shell == "zsh") return output_.Text(ZshCompletion(verbs_));
    throw Failure("SH-0900", "--completion is followed by \"" + shell + "\"",
                  "Write --completion bash or --completion zsh.");
  }

  // A verb that is missing because its plugin cannot be loaded is not a typing mistake.
  void ThrowIfOfRefusedPlugin() {
    for (const PluginFile& file : installed_.plugins().files) {
      if (!file.manifest || file.refusals.empty() || !file.shadowed_by.empty()) continue;
      std::vector<Verb> declared;
      for (const CommandDeclaration& command : file.manifest->commands) {
        declared.emplace_back().words = command.verb;
      }
      if (FindVerb(declared, words_).verb != nullptr) throw Failures(file.refusals);
    }
  }

  int Unknown() {
    const std::string typed = Joined(words_);
    output_.SetCommand(typed);
    const std::string group = GroupHelp(verbs_, typed);
    const bool help = std::any_of(words_.begin(), words_.end(), IsHelp);
    if (!group.empty() && help) {
      return output_.Text(group);
    }
    if (typed.empty()) {
      throw Failure("SH-0900", "\"" + words_.front() + "\" is given where a verb is expected",
                    "`summa-host --help` lists the verbs.");
    }
    if (!group.empty()) {
      throw Failure("SH-0900", "\"" + typed + "\" is only the beginning of a verb",
                    "`summa-host " + typed + " --help` lists the complete verbs.");
    }
    ThrowIfOfRefusedPlugin();
    const std::string near = SuggestVerb(verbs_, typed);
    throw Failure("SH-0900", "unknown verb \"" + typed + "\"",
                  near.empty() ? "`summa-host --help` lists the verbs."
                               : "Did you mean `summa-host " + near + "`?");
  }

  const GlobalOptions global_;
  std::vector<std::string> words_;
  Output& output_;
  InstalledPlugins installed_;
  std::vector<Verb> verbs_;
  bool plugins_added_ = false;
};

int Failed(Output& output, Error error) { return output.Finish({.errors = {std::move(error)}}); }

int Run(const std::vector<std::string>& arguments) {
  Output output(OutputStream(), ErrorStream(), isatty(STDERR_FILENO) == 1);
  try {
    GlobalParse parse = ParseGlobalOptions(arguments);
    if (std::getenv("NO_COLOR") != nullptr) parse.options.color = false;
    output.Configure(parse.options);
    return Dispatcher(std::move(parse), output).Run();
  } catch (const Failures& failures) {
    return output.Finish({.errors = failures.all()});
  } catch (const Failure& failure) {
    return Failed(output, failure.error());
  } catch (const std::exception& error) {
    return Failed(output, {"SH-0901", std::string("unexpected: ") + error.what(),
                           "Report it with the output of `summa-host version --verbose`.", ""});
  }
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& arguments) noexcept try {
  const int exit_code = Run(arguments);
  if (!CallThread::AnyLeft()) return exit_code;
  FlushLog();
  _exit(exit_code);  // code of a plugin still runs, and must find everything in its place
} catch (...) {
  // Not even the error could be printed.
  return 70;
}

}  // namespace summa::host
