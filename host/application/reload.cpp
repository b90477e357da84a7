#include "host/application/reload.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <string_view>

#include "host/config/text.hpp"
#include "host/database/renewed_url.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr const char* kLedgerUrl = "database.ledger.url";
constexpr const char* kReadUrl = "database.read.url";

void Flatten(const Value& value, const std::string& path,
             std::map<std::string, std::string>& values) {
  for (const auto& [name, member] : value.members) Flatten(member, MemberPath(path, name), values);
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    Flatten(value.items[i], path + "[" + std::to_string(i) + "]", values);
  }
  if (value.members.empty() && value.items.empty() && !value.null) values[path] = value.text;
}

// The value at `path`, or a part of it.
bool IsBelow(std::string_view value, std::string_view path) {
  if (!value.starts_with(path)) return false;
  return value.size() == path.size() || value[path.size()] == '.' || value[path.size()] == '[';
}

std::map<std::string, std::string> Flat(const Configuration& configuration) {
  std::map<std::string, std::string> values;
  Flatten(configuration.value, "", values);
  return values;
}

}  // namespace

Reload::Reload(const LoadedConfiguration& loaded, const Discovery& plugins,
               std::function<bool(const std::string&)> concerns)
    : loaded_(loaded),
      plugins_(plugins),
      concerns_(std::move(concerns)),
      values_(Flat(loaded.configuration)),
      text_(loaded.text) {}

bool Reload::Run(PluginSet& plugins, const std::string* text) noexcept try {
  BeginAnswer();
  try {
    const LoadedConfiguration now = ReadConfiguration(loaded_.settings.file, plugins_, text);
    Take(now, plugins);
    text_ = now.text;
    return true;
  } catch (const Failures& failures) {
    for (const Error& error : failures.all()) LogError(LogLevel::kError, error);
  } catch (const Failure& failure) {
    LogError(LogLevel::kError, failure.error());
  }
  Log(LogLevel::kError, "SH-0909", "the configuration was not reloaded; the old one stays in force",
      {{"file", loaded_.settings.file}});
  return false;
} catch (const std::exception& error) {
  Log(LogLevel::kError, "SH-0909", "the configuration was not reloaded; the old one stays in force",
      {{"error", error.what()}});
  return false;
}

bool Reload::Takes(const std::string& path, const LoadedConfiguration& now) const {
  if (path == "log.level" || path == "log.format") return true;
  const DatabaseSettings& ledger = loaded_.settings.ledger;
  if (path == kLedgerUrl) return SameButForSecrets(ledger.url, now.settings.ledger.url);
  return path == kReadUrl && loaded_.settings.read && now.settings.read &&
         SameButForSecrets(loaded_.settings.read->url, now.settings.read->url);
}

Reload::Changes Reload::Compare(const Values& values, const LoadedConfiguration& now) const {
  Values all = values_;
  all.insert(values.begin(), values.end());
  Changes changes;
  for (const auto& [path, value] : all) {
    const auto before = values_.find(path), after = values.find(path);
    const bool same =
        before != values_.end() && after != values.end() && before->second == after->second;
    if (!same) (Takes(path, now) ? changes.taken : changes.restart).push_back(path);
  }
  return changes;
}

// What a plugin takes moves from the one list to the other.
void Reload::OfferToPlugins(const LoadedConfiguration& now, PluginSet& plugins, Changes& changes) {
  for (const PluginSettings& plugin : now.configuration.plugins) {
    const std::string section = MemberPath("plugins", plugin.id);
    std::vector<std::string> theirs;
    for (const std::string& path : changes.restart) {
      if (IsBelow(path, section)) theirs.push_back(path);
    }
    if (theirs.empty()) continue;
    const PluginSet::Reloaded reloaded = plugins.Reload(plugin);
    if (reloaded.refused) {
      std::erase_if(changes.restart,
                    [&](const std::string& path) { return IsBelow(path, section); });
      Log(LogLevel::kError, "SH-0911", "a plugin continues with its old configuration",
          {{"plugin", plugin.id}, {"keys", Join(theirs)}});
    }
    for (const std::string& key : reloaded.taken) {
      const auto is_taken = [&](const std::string& path) {
        return IsBelow(path, MemberPath(section, key));
      };
      std::copy_if(theirs.begin(), theirs.end(), std::back_inserter(changes.taken), is_taken);
      std::erase_if(changes.restart, is_taken);
      std::erase_if(theirs, is_taken);
    }
  }
}

void Reload::Take(const LoadedConfiguration& now, PluginSet& plugins) {
  const Values values = Flat(now.configuration);
  Changes changes = Compare(values, now);
  OfferToPlugins(now, plugins, changes);
  if (concerns_) {
    std::erase_if(changes.restart, [this](const std::string& path) { return !concerns_(path); });
  }
  for (const std::string& path : changes.taken) {
    if (path == kLedgerUrl) RenewUrl(loaded_.settings.ledger.url, now.settings.ledger.url);
    if (path == kReadUrl) RenewUrl(loaded_.settings.read->url, now.settings.read->url);
    values_.erase(path);
    if (const auto after = values.find(path); after != values.end()) values_.insert(*after);
  }
  // Logged if either of the two levels permits it.
  ConfigureLog(std::min(CurrentLogLevel(), now.settings.log_level), now.settings.log_format);
  Log(LogLevel::kInfo, "", "the configuration was reloaded",
      {{"in_effect", changes.taken.empty() ? "nothing new" : Join(changes.taken)}});
  if (!changes.restart.empty()) {
    Log(LogLevel::kWarn, "SH-0910", "changes in the configuration need a restart",
        {{"keys", Join(changes.restart)}});
  }
  ConfigureLog(now.settings.log_level, now.settings.log_format);
}

}  // namespace summa::host
