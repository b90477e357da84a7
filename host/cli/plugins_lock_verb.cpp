#include <algorithm>
#include <filesystem>
#include <summa/json.hpp>
#include <system_error>

#include "host/application/settings.hpp"
#include "host/cli/verbs.hpp"
#include "host/find.hpp"
#include "host/plugin/plugin_lock.hpp"

namespace summa::host {
namespace {

// What a lock file says of a plugin, and what became of it.
struct Entry {
  LockedPlugin plugin;
  std::string change;  // added | changed | unchanged | removed | refused
  std::optional<Error> error;
};

std::string FileOf(const Invocation& call) {
  const std::string given = call.options.String("file");
  if (!given.empty()) return given;
  const auto settings = FindLock(call.global.config, call.installed.plugins());
  if (settings) return settings->file;
  throw Failure("SH-0162", "there is no configuration that names the lock file of plugins",
                "Name the configuration with -c, or the lock file with --file");
}

Entry Examine(const PluginFile& found, const PluginLock& old) {
  Entry entry;
  entry.plugin.id = found.Id();
  entry.plugin.path = found.path;
  const PluginFile file =
      found.refusals.empty() ? InspectPlugin(found.path, CurrentTrust(), Reading::kSealed) : found;
  if (!file.refusals.empty()) {
    entry.change = "refused";
    entry.error = file.refusals.front();
    return entry;
  }
  entry.plugin = LockEntry(file);
  // What no lock could make a host load.
  if (std::optional<Error> error = CheckLock(file, {old.file, {entry.plugin}})) {
    entry.change = "refused";
    entry.error = std::move(error);
    return entry;
  }
  const LockedPlugin* before = old.Find(entry.plugin.id);
  const bool same = before != nullptr && before->sha256 == entry.plugin.sha256 &&
                    before->owner == entry.plugin.owner;
  entry.change = before == nullptr ? "added" : same ? "unchanged" : "changed";
  return entry;
}

std::vector<Entry> ExamineAll(const Discovery& discovery, const std::vector<std::string>& only,
                              const PluginLock& old) {
  for (const std::string& id : only) {
    if (discovery.Find(id) == nullptr) throw Failure(discovery.NotFound(id));
  }
  std::vector<Entry> entries;
  for (const PluginFile& file : discovery.files) {
    if (!file.shadowed_by.empty()) continue;
    if (only.empty() || Contains(only, file.Id())) entries.push_back(Examine(file, old));
  }
  for (const LockedPlugin& each : old.plugins) {
    const bool known = std::any_of(entries.begin(), entries.end(),
                                   [&](const Entry& entry) { return entry.plugin.id == each.id; });
    if (known) continue;
    entries.push_back({each, only.empty() ? "removed" : "unchanged", std::nullopt});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.plugin.id < b.plugin.id; });
  return entries;
}

VerbResult Report(const std::string& file, const std::vector<Entry>& entries, bool written) {
  VerbResult result;
  JsonWriter json;
  json.BeginObject().Member("file", file).Member("written", written);
  json.Key("plugins").BeginArray();
  for (const Entry& entry : entries) {
    const LockedPlugin& plugin = entry.plugin;
    json.BeginObject().Member("id", plugin.id).TextOrNull("version", plugin.version);
    json.Member("change", entry.change).TextOrNull("sha256", plugin.sha256);
    json.TextOrNull("owner", plugin.owner).TextOrNull("path", plugin.path);
    json.EndObject();
    if (entry.error) result.errors.push_back(*entry.error);
  }
  result.json = json.EndArray().EndObject().Take();
  return result;
}

VerbResult Lock(const Invocation& call) {
  std::vector<std::string> only;
  if (const Value* plugins = call.options.Find("plugin"); plugins != nullptr) {
    for (const Value& plugin : plugins->items) only.push_back(plugin.text);
  }
  PluginLock lock;
  lock.file = FileOf(call);
  const bool check = call.options.Boolean("check");
  // What is wrong with the old one is of no interest when all of it is replaced.
  std::vector<Error> problems;
  const PluginLock old = ReadPluginLock(lock.file, CurrentTrust(), problems);
  std::error_code failure;
  const bool kept = !only.empty() && std::filesystem::exists(lock.file, failure);
  if (!problems.empty() && (check || kept)) throw Failures(std::move(problems));
  const std::vector<Entry> entries = ExamineAll(call.installed.plugins(), only, old);
  if (check) {
    VerbResult result = Report(lock.file, entries, false);
    const bool same = std::all_of(entries.begin(), entries.end(),
                                  [](const Entry& each) { return each.change == "unchanged"; });
    if (!same) result.exit_code = 1;
    result.errors.clear();  // a finding, as the others
    return result;
  }
  for (const Entry& entry : entries) {
    if (entry.change != "removed" && entry.change != "refused")
      lock.plugins.push_back(entry.plugin);
  }
  WritePluginLock(lock);
  return Report(lock.file, entries, true);
}

}  // namespace

void AddPluginsLockVerb(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "plugins lock";
  verb.summary = "write which plugin files a host may load";
  verb.description =
      "Writes the SHA-256 and the owner of every installed plugin into the lock file, or of the "
      "plugins that are named, and leaves the others as they are. A host with `plugins.lock: "
      "require` loads these files and no others. No code of a plugin runs. A file that is refused "
      "anyhow is not locked. With --check, it compares and writes nothing.";
  VerbOption plugin = MakeRepeatable("plugin", "lock only these plugins", "PLUGIN");
  plugin.declaration.positional = true;
  verb.options = {
      plugin,
      MakeOption("file", Schema::Type::kString,
                 "the lock file, instead of plugins.lock_file of the configuration", {}, "FILE"),
      MakeFlag("check", "write nothing; end with 1 when a plugin is not as it is locked")};
  verb.exit_codes = {{0, "written, or everything is as it is locked"},
                     {1, "with --check: a plugin is not as it is locked"},
                     {77, "a file may not be loaded, or the lock file may not be written"},
                     {78, "no such plugin, or a file that is no plugin"}};
  verb.example = "summa-host plugins lock -c /etc/summa/summa.yaml";
  verb.run = Lock;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
