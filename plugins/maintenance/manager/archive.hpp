// What becomes of a partition that was detached, and how it comes back.
//
// A file NAME.copy.gz has, compressed with gzip, one line with the names of the columns, quoted,
// with commas, and then the rows as `COPY .. TO STDOUT` writes them, in the order of position
// (ledger_event) or of the time by which the table is partitioned. So it can be loaded without this
// program.
#pragma once

#include <optional>
#include <string>

#include "manager/environment.hpp"
#include "manager/records.hpp"
#include "partition/catalog.hpp"

namespace summa::maintenance {

// Nothing: done, or nothing to do. Otherwise why not. A schema gets the table, and is created when
// it is missing; a file is written, read again and compared, and then the table is dropped.
std::optional<std::string> Archive(const Environment& environment, const TableSettings& settings,
                                   const PartitionRecord& record);

// Attaches a partition again that was detached or archived. The lower overflow partition gives up
// the range, or the remainder that has its place. Errors: SH-0861 an event of the remainder was
// changed; SH-0836 (exit 66) no such record; SH-0837 the file is not the one that was
// written; SH-0838 something is in the way: a partition of the same range, rows in the overflow
// partition, or a lock that was not obtained.
void AttachAgain(const Environment& environment, const TableSettings& settings,
                 const std::string& name);

}  // namespace summa::maintenance
