#include "settings.hpp"

#include <string>
#include <summa/error.hpp>

#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// PostgreSQL cuts longer names off.
constexpr std::size_t kMaxName = 63;

[[noreturn]] void Refuse(const std::string& path, const std::string& problem,
                         const std::string& fix) {
  throw Error(SUMMA_E_CONFIG, "SH-0842", "plugins.maintenance." + path + ": " + problem, fix);
}

ArchiveKind ReadArchive(const Config& config, const std::string& path) {
  const std::string archive = config.String(path + ".archive");
  if (archive == "schema") return ArchiveKind::kSchema;
  if (archive == "file") return ArchiveKind::kFile;
  return ArchiveKind::kNone;
}

void CheckArchive(const TableSettings& table, const std::string& path) {
  if (table.archive == ArchiveKind::kSchema && table.archive_schema.empty()) {
    Refuse(path + ".archive_schema", "archive: schema needs a schema",
           "set it to the name of the schema into which detached partitions go");
  }
  if (table.archive == ArchiveKind::kFile && !table.archive_directory.starts_with("/")) {
    Refuse(path + ".archive_directory", "archive: file needs an absolute path",
           "set it to a directory on this machine that the host may write to");
  }
  if (table.archive != ArchiveKind::kNone && !table.ranges.retention) {
    Refuse(path + ".archive", "nothing is ever archived without a retention",
           "set retention, or remove archive");
  }
}

TableSettings ReadTableSettings(const Config& config, const std::string& name) {
  const std::string path = "partitions." + name;
  if (name.empty() || name.size() > kMaxName || name.find('.') != std::string::npos) {
    Refuse(path, "\"" + name + "\" is not the name of a table in the ledger's schema",
           "write the name of the table alone, without its schema");
  }
  TableSettings table;
  table.table = QuoteWhereNeeded(name);
  table.ranges.interval = IntervalOf(config.String(path + ".interval")).value();
  table.ranges.ahead = static_cast<int>(config.Integer(path + ".ahead"));
  if (config.Find(path + ".retention")) {
    table.ranges.retention = config.Duration(path + ".retention");
  }
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
  settings.manager.closed_after = config.Duration("closed_after");
  settings.manager.require_verified = config.Boolean("require_verified");
  settings.manager.drain_rows = config.Integer("drain_rows");
  for (const std::string& name : config.Keys("partitions")) {
    settings.manager.tables.push_back(ReadTableSettings(config, name));
  }
  return settings;
}

}  // namespace summa::maintenance
