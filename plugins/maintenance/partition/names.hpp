// The names of partitions. Pure.
#pragma once

#include <string>

namespace summa::maintenance {

// TABLE_SUFFIX. Where that is longer than the 63 bytes of an identifier, its end is replaced by a
// hash of the whole: different names stay different, and PostgreSQL cuts nothing off. Not quoted.
std::string PartitionName(const std::string& table, const std::string& suffix);

}  // namespace summa::maintenance
