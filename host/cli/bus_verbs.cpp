// Verbs that look after a bus, whichever plugin it comes from.
#include "host/bus/groups.hpp"
#include "host/bus/listings.hpp"
#include "host/bus/tail.hpp"
#include "host/cli/plugin_command.hpp"
#include "host/cli/verbs.hpp"
#include "host/config/text.hpp"
#include "host/find.hpp"
#include "host/plugin/manifest.hpp"

namespace summa::host {
namespace {

constexpr const char* kStreamPattern = "[A-Za-z0-9._-]{1,200}";
constexpr const char* kPlacePattern = "[$]|[A-Za-z0-9._:-]{1,200}";

std::vector<std::string> FindBuses(const LoadedConfiguration& loaded, const Discovery& plugins) {
  std::vector<std::string> buses;
  for (const PluginSettings& plugin : loaded.configuration.plugins) {
    const PluginFile* file = plugins.Find(plugin.id);
    if (!plugin.enabled || file == nullptr || !file->manifest || !IsBus(*file->manifest)) continue;
    buses.push_back(plugin.id);
  }
  return buses;
}

// The bus that is meant: the named one, or the only one there is.
std::string ChooseBus(const LoadedConfiguration& loaded, const Discovery& plugins,
                      const std::string& named) {
  const std::vector<std::string> buses = FindBuses(loaded, plugins);
  if (buses.empty()) {
    throw Failure(Error{"SH-0903", "no enabled plugin is a bus",
                        "Enable one under plugins: in the configuration, such as bus-redis.",
                        loaded.settings.file, 78});
  }
  if (named.empty() && buses.size() == 1) return buses.front();
  if (named.empty()) {
    throw Failure("SH-0900", "there is more than one bus: " + Join(buses),
                  "Add --bus " + buses.front() + ", or another one.", loaded.settings.file);
  }
  if (Contains(buses, named)) return named;
  throw Failure("SH-0903", "no enabled bus is called \"" + named + "\"; there is " + Join(buses),
                "Name one of these.", loaded.settings.file);
}

VerbOption WithPattern(VerbOption option, const char* pattern) {
  option.declaration.schema.pattern = pattern;
  return option;
}

VerbOption StreamArgument(bool required, std::string help) {
  VerbOption option =
      WithPattern(MakeArgument("stream", std::move(help), "STREAM"), kStreamPattern);
  option.declaration.schema.required = required;
  return option;
}

VerbOption GroupArgument() {
  return WithPattern(MakeArgument("group", "the name of the group", "GROUP"), ".{1,200}");
}

VerbOption FromOption(std::string help) {
  return WithPattern(MakeOption("from", Schema::Type::kString, std::move(help), "0", "PLACE"),
                     kPlacePattern);
}

// `arguments`: of the example.
Verb MakeVerb(const std::string& word, std::string summary, std::vector<VerbOption> options,
              BusVerb run, const std::string& arguments) {
  Verb verb;
  verb.words = "bus " + word;
  verb.example = "summa-host bus " + word + arguments;
  verb.summary = std::move(summary);
  verb.options = std::move(options);
  verb.options.push_back(MakeOption("bus", Schema::Type::kString,
                                    "the plugin that provides the bus, when there are several", {},
                                    "NAME"));
  verb.exit_codes = {{0, "done"},
                     {1, "done, except for streams that the login may not use"},
                     {64, "several buses are enabled and --bus is missing"},
                     {66, "unknown stream, group or bus"},
                     {69, "the bus or the database is down"},
                     {78, "configuration, or the bus does not support this"}};
  verb.run = [run, words = verb.words](const Invocation& call) {
    const Discovery& plugins = call.installed.plugins();
    const LoadedConfiguration loaded = call.Load();
    CommandRequest request;
    request.plugin = ChooseBus(loaded, plugins, call.options.String("bus"));
    request.declaration.verb = words;
    request.bus_verb = run;
    return RunCommand(loaded, call, std::move(request));
  };
  return verb;
}

Verb TailVerb() {
  VerbOption count = MakeOption(
      "count", Schema::Type::kInteger,
      "how many messages to show; with --follow, before it waits for new ones", "10", "N");
  count.declaration.schema.min_text = "1";
  count.declaration.schema.max_text = "10000";
  const VerbOption from = WithPattern(
      MakeOption("from", Schema::Type::kString,
                 "start at this deliveryId, or at another place that the bus supports, instead of "
                 "the latest; on Redis also a time in milliseconds since 1970",
                 {}, "PLACE"),
      kPlacePattern);
  return MakeVerb(
      "tail", "show the latest messages of a stream, one JSON object each",
      {StreamArgument(true, "the stream without its prefix, such as ledger-account-credited"),
       count, from, MakeFlag("follow", "continue with new messages until interrupted")},
      TailStream, " ledger-account-credited --count 1");
}

}  // namespace

void AddBusVerbs(std::vector<Verb>& verbs) {
  verbs.push_back(TailVerb());
  verbs.push_back(MakeVerb("streams",
                           "list the streams with their messages, groups and dead letters", {},
                           ListStreams, ""));
  verbs.push_back(MakeVerb(
      "groups", "list the consumer groups with their progress and pending messages",
      {StreamArgument(false, "only groups of this stream, without its prefix")}, ListGroups, ""));
  verbs.push_back(
      MakeVerb("trim", "remove messages that are past retention and that every group has handled",
               {StreamArgument(false, "only this stream, without its prefix"),
                MakeFlag("dry-run", "only print what would be removed")},
               TrimStreams, " --dry-run"));
  const VerbOption stream = StreamArgument(true, "the stream without its prefix");
  verbs.push_back(MakeVerb("group create",
                           "create a consumer group, and the stream if it does not exist",
                           {stream, GroupArgument(),
                            FromOption("0: everything in the stream; a deliveryId: everything "
                                       "after it; $: only new messages")},
                           CreateGroup, " ledger-account-credited reports"));
  Verb deletion = MakeVerb(
      "group delete", "delete a consumer group, and forget what it has not handled",
      {stream, GroupArgument(), MakeFlag("force", "also when it has not handled everything")},
      DeleteGroup, " ledger-account-credited reports");
  deletion.exit_codes[2].second += ", or the group has not handled everything";
  verbs.push_back(std::move(deletion));
  verbs.push_back(MakeVerb("group reset", "move a consumer group to another place of the stream",
                           {stream, GroupArgument(),
                            FromOption("0: everything again; a deliveryId: everything after it; $: "
                                       "only new messages")},
                           ResetGroup, " ledger-account-credited reports --from 0"));
}

}  // namespace summa::host
