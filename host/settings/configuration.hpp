// The configuration of one host, complete and checked: what summa.yaml says, what the environment
// fills in, and the defaults of the host and of every plugin's manifest.
//
// Everything here is pure but FindConfigurationFile, LoadConfigurationFile and the files that
// ${file:...} names. Thread-safe; nothing is kept.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/document.hpp"
#include "host/config/interpolate.hpp"
#include "host/config/schema.hpp"
#include "host/database/control_plane.hpp"
#include "host/database/session.hpp"
#include "host/http/http_limits.hpp"
#include "host/observe/log.hpp"
#include "host/plugin/manifest.hpp"
#include "host/worker.hpp"

namespace summa::host {

// The host's own part, as plain values.
struct Settings {
  std::string file;        // the configuration
  std::string name;        // of this host
  std::string listen;      // as written: "127.0.0.1:9464"
  bool loopback = false;   // only this machine can reach `listen`
  std::string token_file;  // empty: none
  HttpLimits http;
  Microseconds drain_timeout{0};
  Microseconds start_timeout{0};
  Microseconds inbox_retention{0};
  bool migrate_automatically = false;
  bool lock_required = false;  // plugins are loaded only as the lock file says
  std::string lock_file;
  std::optional<Layout> layout;  // nullopt: as the catalog says
  DatabaseSettings ledger;
  std::optional<DatabaseSettings> read;  // nullopt: the ledger's database
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

struct UseSetting {
  std::string provider;  // id of a plugin
  Location where;
};

// Of the process of one plugin; zero: none.
struct ProcessLimits {
  std::int64_t memory_bytes = 0;
  Microseconds cpu_time{0};  // within a minute
  int open_files = 0;
};

struct PluginSettings {
  std::string id;
  Location where;  // of its key
  bool enabled = true;
  std::map<std::string, UseSetting> use;  // alias -> provider
  bool isolated = false;                  // runs in a process of its own
  ProcessLimits limits;                   // of that process
  Value config;  // its own part: a map, without the keys that every plugin has
};

struct WorkerSettings : WorkerSpec {
  bool enabled = true;
};

struct Configuration {
  std::vector<PluginSettings> plugins;  // in the order of the file, disabled ones too
  std::vector<WorkerSettings> workers;  // of all enabled plugins, disabled ones too
  std::optional<bool> share_with_node;  // nothing: as the layout says
  Value value;                          // everything as one map, for PrintConfiguration

  const PluginSettings* FindPlugin(std::string_view id) const;
  const WorkerSettings* FindWorker(std::string_view id) const;
};

struct LoadResult {
  Configuration configuration;  // complete only when ok()
  Settings settings;            // likewise
  Diagnostics diagnostics;      // in the order of the file
  std::string text;             // of the file, as it was read
  bool ok() const;              // nothing but warnings
};

// `manifests`: of all installed plugins. `file` is the name used in messages.
LoadResult LoadConfiguration(std::string_view text, const std::string& file,
                             const Environment& environment,
                             const std::vector<Manifest>& manifests);
// Throws Failure SH-0221 when the file cannot be read.
LoadResult LoadConfigurationFile(const std::string& path, const Environment& environment,
                                 const std::vector<Manifest>& manifests);

// `given` (-c; may be empty), else SUMMA_CONFIG, ./summa.yaml, /etc/summa/summa.yaml. A file that
// was named must exist. Throws Failure SH-0200 that says where it looked.
std::string FindConfigurationFile(const std::string& given, const Environment& environment);

// The effective configuration as YAML; a comment names the origin of each value. Secrets are ***.
std::string PrintConfiguration(const Configuration& configuration);
// JSON Schema of the whole file with the plugins that `manifests` describe.
std::string ConfigurationJsonSchema(const std::vector<Manifest>& manifests);

}  // namespace summa::host
