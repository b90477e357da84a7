// summa.log/1 for one plugin: every line carries plugin=<id>. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "summa/abi/log.h"

namespace summa::host {

class LogService {
 public:
  explicit LogService(std::string plugin_id);
  LogService(const LogService&) = delete;
  LogService& operator=(const LogService&) = delete;
  const summa_log_v1* table() const { return &table_; }

 private:
  static void Write(void* self, std::int32_t level, summa_str code, summa_str message,
                    const summa_log_field* fields, std::size_t field_count) noexcept;

  const std::string plugin_id_;
  summa_log_v1 table_{};
};

}  // namespace summa::host
