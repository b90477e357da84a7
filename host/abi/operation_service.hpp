// summa.operation/1 for one plugin: the kinds of its manifest over the journal. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/clock.hpp"
#include "host/operation/operation_kind.hpp"
#include "summa/abi/operation.h"

namespace summa::host {

class OperationService {
 public:
  // host: who works on operations and, where nobody else is known, who asks for them.
  OperationService(std::string plugin, std::vector<OperationKind> kinds, std::string host,
                   std::string requester, const Clock& clock);
  OperationService(const OperationService&) = delete;
  OperationService& operator=(const OperationService&) = delete;

  const summa_operation_v1* table() const { return &table_; }

 private:
  static std::int32_t Start(void* self, const summa_sql_v1* sql,
                            const summa_operation_request* request, std::int64_t* id,
                            summa_error* error) noexcept;
  static std::int32_t Run(void* self, const summa_operation_run* run, summa_operation_view* view,
                          std::int64_t* rows, summa_error* error) noexcept;
  static std::int32_t Read(void* self, const summa_sql_v1* sql, std::int64_t id,
                           summa_operation_view* view, summa_error* error) noexcept;
  // Throws summa::Error: the manifest has no such kind.
  const OperationKind& Find(std::string_view kind) const;

  const std::string plugin_;
  const std::vector<OperationKind> kinds_;
  const std::string host_, requester_;
  const Clock& clock_;
  summa_operation_v1 table_{};
};

}  // namespace summa::host
