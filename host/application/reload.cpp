#include "host/application/reload.hpp"

#include <algorithm>
#include <exception>

#include "host/config/text.hpp"
#include "host/database/renewed_url.hpp"
#include "host/observe/log.hpp"
#include "host/observe/log_settings.hpp"

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

std::map<std::string, std::string> Flat(const Configuration& configuration) {
  std::map<std::string, std::string> values;
  Flatten(configuration.value, "", values);
  return values;
}

}  // namespace

Reload::Reload(const LoadedConfiguration& loaded, const Discovery& plugins)
    : loaded_(loaded), plugins_(plugins), values_(Flat(loaded.configuration)) {}

void Reload::Run() noexcept try {
  try {
    Take(ReadConfiguration(loaded_.settings.file, plugins_));
    return;
  } catch (const Failures& failures) {
    for (const Error& error : failures.all()) LogError(LogLevel::kError, error);
  } catch (const Failure& failure) {
    LogError(LogLevel::kError, failure.error());
  }
  Log(LogLevel::kError, "SH-0909", "the configuration was not reloaded; the old one stays in force",
      {{"file", loaded_.settings.file}});
} catch (const std::exception& error) {
  Log(LogLevel::kError, "SH-0909", "the configuration was not reloaded; the old one stays in force",
      {{"error", error.what()}});
}

bool Reload::Takes(const std::string& path, const LoadedConfiguration& now) const {
  if (path == "log.level" || path == "log.format") return true;
  const DatabaseSettings& ledger = loaded_.settings.ledger;
  if (path == kLedgerUrl) return SameButForSecrets(ledger.url, now.settings.ledger.url);
  return path == kReadUrl && loaded_.settings.read && now.settings.read &&
         SameButForSecrets(loaded_.settings.read->url, now.settings.read->url);
}

void Reload::Take(const LoadedConfiguration& now) {
  Values values = Flat(now.configuration), all = values_;
  all.insert(values.begin(), values.end());
  std::vector<std::string> taken, restart;
  for (const auto& [path, value] : all) {
    const auto before = values_.find(path), after = values.find(path);
    const bool same =
        before != values_.end() && after != values.end() && before->second == after->second;
    if (same) continue;
    if (!Takes(path, now)) {
      restart.push_back(path);
      continue;
    }
    taken.push_back(path);
    if (after == values.end()) {
      values_.erase(path);
    } else {
      values_[path] = after->second;
    }
  }
  for (const std::string& path : taken) {
    if (path == kLedgerUrl) RenewUrl(loaded_.settings.ledger.url, now.settings.ledger.url);
    if (path == kReadUrl) RenewUrl(loaded_.settings.read->url, now.settings.read->url);
  }
  // Said by whichever of the two levels lets it through.
  ConfigureLog(std::min(CurrentLogLevel(), now.settings.log_level), now.settings.log_format);
  Log(LogLevel::kInfo, "", "the configuration was reloaded",
      {{"in_effect", taken.empty() ? "nothing new" : Join(taken)}});
  if (!restart.empty()) {
    Log(LogLevel::kWarn, "SH-0910", "what changed in the configuration needs a restart",
        {{"keys", Join(restart)}});
  }
  ConfigureLog(now.settings.log_level, now.settings.log_format);
}

}  // namespace summa::host
