// The lock file of plugins (decision 0054): which bytes, of which owner, are the plugin of an id. A
// host with `plugins.lock: require` loads these and no others.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/document.hpp"
#include "host/plugin/plugin_file.hpp"

namespace summa::host {

struct LockedPlugin {
  std::string id;
  std::string sha256;         // 64 characters of lower-case hex
  std::string owner;          // a name, or a number where the user has none
  std::string version, path;  // for people; what counts are the bytes and their owner
  bool operator==(const LockedPlugin&) const = default;
};

struct PluginLock {
  std::string file;                   // its path
  std::vector<LockedPlugin> plugins;  // by id
  const LockedPlugin* Find(std::string_view id) const;
};

// From the text of a lock file; `file` is the name used in messages. Pure.
PluginLock ParsePluginLock(std::string_view text, const std::string& file,
                           Diagnostics& diagnostics);
std::string ToText(const PluginLock& lock);

// Everything that is wrong with it is in `problems` (SH-0160; SH-0102: others may write it). An
// empty lock when there is any.
PluginLock ReadPluginLock(const std::string& path, const TrustPolicy& trust,
                          std::vector<Error>& problems);
// Replaces the file as a whole, or not at all. Throws Failure SH-0162.
void WritePluginLock(const PluginLock& lock);

// What a lock says of a file that was read sealed.
LockedPlugin LockEntry(const PluginFile& file);

// Why a file that was read sealed is not the one that the lock has (SH-0107), or has code that it
// does not cover (SH-0161); nullopt: it may be loaded.
std::optional<Error> CheckLock(const PluginFile& file, const PluginLock& lock);

// Reads the file once more, sealed, and refuses it unless it is the locked one. What was read
// before, and may have been used since, must be the same (SH-0122). One that is refused already
// stays as it is.
PluginFile SealLocked(const PluginFile& found, const PluginLock& lock, const TrustPolicy& trust);

}  // namespace summa::host
