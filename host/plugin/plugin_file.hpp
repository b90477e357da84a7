// One file that may be a plugin: everything that can be known of it without running its code.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/error.hpp"
#include "host/plugin/file_trust.hpp"
#include "host/plugin/manifest.hpp"
#include "host/plugin/sealed_file.hpp"

namespace summa::host {

// Tells whether a path still names the bytes that were looked at.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t size = 0;
  // Of the last write. Not st_ctim, which changes with every hard link that a backup or a profiler
  // makes; who may write the file could deceive the host anyhow.
  std::int64_t written_nanoseconds = 0;
  bool operator==(const FileIdentity&) const = default;
};

struct PluginFile {
  std::string path;
  FileIdentity identity;
  uid_t owner = 0;
  std::optional<Manifest> manifest;  // also of a refused file, where the manifest could be read
  std::uintptr_t manifest_address = 0;
  std::vector<std::string> needed;
  std::vector<std::string> library_paths;
  // Symbols beside summa_plugin_v*: the first few, and how many there are.
  std::vector<std::string> other_exports;
  std::size_t other_export_count = 0;
  std::vector<Error> refusals;  // empty: may be loaded
  std::string shadowed_by;      // path of the file that is used instead; empty: none
  // What all of this was read from, and what is loaded; nullptr: the file was read, and is loaded
  // by its path.
  std::shared_ptr<const SealedFile> sealed;

  // The id of the manifest, else the name of the file without ".so".
  std::string Id() const;
};

// kSealed: into memory that nobody can change, so that exactly these bytes are loaded later.
enum class Reading { kOnce, kSealed };

// The checks that need no other plugin, in this order; the first kind that fails ends them: exists,
// regular file, owner and mode, ELF and machine, manifest section, ABI, manifest, sanitizer.
PluginFile InspectPlugin(const std::string& path, const TrustPolicy& trust,
                         Reading reading = Reading::kOnce);

// Of the file that `path` names now; nullopt when there is none.
std::optional<FileIdentity> IdentityOf(const std::string& path);

}  // namespace summa::host
