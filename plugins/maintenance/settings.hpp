// The plugin's configuration; see plugin.yaml.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <summa/config.hpp>

namespace summa::maintenance {

enum class Archive { kNone, kSchema, kFile };

// One table whose partitions are managed.
struct PartitionSettings {
  std::string interval = "monthly";                    // a name that IntervalOf() knows
  int ahead = 3;                                       // ranges that exist beyond the current one
  std::optional<std::chrono::microseconds> retention;  // none: everything is kept
  Archive archive = Archive::kNone;
  std::string archive_schema;     // with kSchema
  std::string archive_directory;  // with kFile: an absolute path
};

struct Settings {
  std::chrono::microseconds processed_event_retention = std::chrono::hours(168);
  // By the name of the table, in the ledger's schema; not quoted.
  std::map<std::string, PartitionSettings> partitions;
};

// Throws SUMMA_E_CONFIG, SH-0842, when keys do not fit together.
Settings ReadSettings(const Config& config);

}  // namespace summa::maintenance
