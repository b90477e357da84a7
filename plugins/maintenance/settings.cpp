#include "settings.hpp"

#include <summa/error.hpp>

namespace summa::maintenance {
namespace {

// PostgreSQL cuts longer names off.
constexpr std::size_t kMaxName = 63;

[[noreturn]] void Refuse(const std::string& path, const std::string& problem,
                         const std::string& fix) {
  throw Error(SUMMA_E_CONFIG, "SH-0842", "plugins.maintenance." + path + ": " + problem, fix);
}

Archive ReadArchive(const Config& config, const std::string& path) {
  const std::string archive = config.String(path + ".archive");
  if (archive == "schema") return Archive::kSchema;
  if (archive == "file") return Archive::kFile;
  return Archive::kNone;
}

void CheckArchive(const PartitionSettings& table, const std::string& path) {
  if (table.archive == Archive::kSchema && table.archive_schema.empty()) {
    Refuse(path + ".archive_schema", "archive: schema needs a schema",
           "set it to the name of the schema into which detached partitions go");
  }
  if (table.archive == Archive::kFile && !table.archive_directory.starts_with("/")) {
    Refuse(path + ".archive_directory", "archive: file needs an absolute path",
           "set it to a directory on this machine that the host may write to");
  }
  if (table.archive != Archive::kNone && !table.retention) {
    Refuse(path + ".archive", "nothing is ever archived without a retention",
           "set retention, or remove archive");
  }
}

PartitionSettings ReadTable(const Config& config, const std::string& path) {
  PartitionSettings table;
  table.interval = config.String(path + ".interval");
  table.ahead = static_cast<int>(config.Integer(path + ".ahead"));
  if (config.Find(path + ".retention")) table.retention = config.Duration(path + ".retention");
  table.archive = ReadArchive(config, path);
  table.archive_schema = config.Find(path + ".archive_schema").value_or("");
  table.archive_directory = config.Find(path + ".archive_directory").value_or("");
  CheckArchive(table, path);
  return table;
}

}  // namespace

Settings ReadSettings(const Config& config) {
  Settings settings;
  settings.processed_event_retention = config.Duration("processed_event_retention");
  for (const std::string& name : config.Keys("partitions")) {
    const std::string path = "partitions." + name;
    if (name.empty() || name.size() > kMaxName || name.find('.') != std::string::npos) {
      Refuse(path, "\"" + name + "\" is not the name of a table in the ledger's schema",
             "write the name of the table alone, without its schema");
    }
    settings.partitions[name] = ReadTable(config, path);
  }
  return settings;
}

}  // namespace summa::maintenance
