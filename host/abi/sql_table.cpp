// The functions of summa.sql/1. None lets an exception out.
#include <vector>

#include "host/abi/sql_session.hpp"
#include "summa/error.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kFewParameters = 16;  // most statements: no allocation for them

int32_t Report(summa_error* error, const Error& what) noexcept {
  const int32_t status = KindOf(what);
  return summa::detail::Fill(error, status, what.code, what.message, what.hint, what.sqlstate);
}

template <typename Body>
int32_t Guarded(summa_error* error, Body&& body) noexcept {
  try {
    body();
    return SUMMA_OK;
  } catch (const Failure& failure) {
    return Report(error, failure.error());
  } catch (const std::exception& failure) {
    return Report(error, Error{"SH-0901", failure.what(), "", ""});
  } catch (...) {
    return Report(error, Error{"SH-0901", "unknown exception", "", ""});
  }
}

// One call on a session that must still belong to a scope.
template <typename Body>
int32_t Use(summa_sql_session* handle, summa_error* error, Body&& body) noexcept {
  return Guarded(error, [&] {
    if (handle == nullptr) throw Failure("SH-0407", "no session was given", "Open one first");
    const MutexLock lock(handle->use);
    if (!handle->session) {
      throw Failure("SH-0419", "the session has ended with the run of its worker",
                    "Close sessions before the tick returns");
    }
    body(*handle->session);
  });
}

// A mistake of the plugin in the callbacks of COPY.
struct StoppedByPlugin {};

int32_t Open(void* self, summa_str database, summa_sql_session** out, summa_error* error) noexcept {
  return Guarded(error, [&] {
    if (out == nullptr) throw Failure("SH-0407", "the pointer for the new session is null", "");
    *out = nullptr;
    *out = static_cast<SqlScope*>(self)->Open(summa::FromAbi(database));
  });
}

void Close(summa_sql_session* handle) noexcept {
  if (handle == nullptr) return;
  const std::shared_ptr<summa_sql_session> owned = std::move(handle->self);
  const MutexLock lock(owned->use);
  if (owned->scope == nullptr) return;  // the scope has ended and taken the connection
  owned->scope->Forget(owned);
  owned->pool->Release(std::move(owned->session));
}

int32_t Begin(summa_sql_session* handle, uint32_t flags, summa_error* error) noexcept {
  return Use(handle, error, [&](Session& session) {
    if ((flags & ~(SUMMA_SQL_READ_ONLY | SUMMA_SQL_REPEATABLE_READ)) != 0) {
      throw Failure("SH-0407", "unknown flags for begin: " + std::to_string(flags), "");
    }
    TransactionMode mode = TransactionMode::kReadWrite;
    if ((flags & SUMMA_SQL_READ_ONLY) != 0) mode = TransactionMode::kReadOnly;
    if ((flags & SUMMA_SQL_REPEATABLE_READ) != 0) mode = TransactionMode::kRepeatableReadOnly;
    session.Begin(mode, handle->guard ? &*handle->guard : nullptr);
    handle->read_write = mode == TransactionMode::kReadWrite;
  });
}

int32_t Exec(summa_sql_session* handle, summa_str sql, const summa_sql_parameter* parameters,
             size_t count, int32_t result_format, summa_sql_result** out,
             summa_error* error) noexcept {
  return Use(handle, error, [&](Session& session) {
    if (out != nullptr) *out = nullptr;
    if (result_format != 0 && result_format != 1) {
      throw Failure("SH-0407", "result format " + std::to_string(result_format), "0 or 1");
    }
    SqlParameter few[kFewParameters];
    std::vector<SqlParameter> many(count > kFewParameters ? count : 0);
    SqlParameter* own = count > kFewParameters ? many.data() : few;
    for (std::size_t i = 0; i < count; ++i) {
      const summa_sql_parameter& given = parameters[i];
      own[i] = {given.data, given.size, given.type, given.format};
    }
    auto result = session.Exec(summa::FromAbi(sql), {own, count}, result_format);
    if (out == nullptr) return;
    *out = std::make_unique<summa_sql_result>(summa_sql_result{std::move(result), result_format})
               .release();
  });
}

int32_t ExecAutocommit(summa_sql_session* handle, summa_str sql, summa_error* error) noexcept {
  return Use(handle, error, [&](Session& session) {
    session.ExecAutocommit(summa::FromAbi(sql), handle->commit_guard());
  });
}

int32_t CopyOut(summa_sql_session* handle, summa_str sql,
                int32_t (*on_row)(void* user, const char* data, size_t size), void* user,
                summa_error* error) noexcept {
  return Use(handle, error, [&](Session& session) {
    if (handle->guard && handle->read_write && session.in_transaction()) {
      throw Failure("SH-0408", "copy_out is not allowed in a read-write transaction under a lease",
                    "A stalled stream could outlive the lease: read in a read-only transaction");
    }
    session.CopyOut(summa::FromAbi(sql), [&](std::string_view row) {
      return on_row(user, row.data(), row.size()) == 0;
    });
  });
}

int32_t CopyIn(summa_sql_session* handle, summa_str sql,
               int32_t (*next)(void* user, const char** data, size_t* size), void* user,
               summa_error* error) noexcept {
  return Use(handle, error, [&](Session& session) {
    try {
      session.CopyIn(summa::FromAbi(sql), [&]() -> std::optional<std::string_view> {
        const char* data = nullptr;
        std::size_t size = 0;
        const int32_t more = next(user, &data, &size);
        if (more < 0) throw StoppedByPlugin{};
        if (more == 0) return std::nullopt;
        return std::string_view(data, size);
      });
    } catch (const StoppedByPlugin&) {
      throw SqlFailure(Error{"SH-0409", "the copy was stopped by its sender", "Roll back", "",
                             SUMMA_E_CANCELLED},
                       "57014");
    }
  });
}

int32_t Commit(summa_sql_session* handle, summa_error* error) noexcept {
  return Use(handle, error, [&](Session& session) { session.Commit(handle->commit_guard()); });
}

int32_t Rollback(summa_sql_session* handle, summa_error* error) noexcept {
  return Use(handle, error, [](Session& session) { session.Rollback(); });
}

size_t RowCount(const summa_sql_result* result) noexcept {
  return result == nullptr ? 0 : result->result->rows();
}

size_t ColumnCount(const summa_sql_result* result) noexcept {
  return result == nullptr ? 0 : result->result->columns();
}

int64_t AffectedRows(const summa_sql_result* result) noexcept {
  return result == nullptr ? 0 : result->result->affected_rows();
}

int32_t CellOf(const summa_sql_result* result, size_t row, size_t column,
               summa_str* value) noexcept {
  if (result == nullptr) return 0;
  const auto cell = result->result->Cell(row, column);
  if (!cell) return 0;
  if (value != nullptr) *value = summa::ToAbi(*cell);
  return 1;
}

summa_str ColumnName(const summa_sql_result* result, size_t column) noexcept {
  return summa::ToAbi(result == nullptr ? std::string_view() : result->result->column_name(column));
}

uint32_t ColumnType(const summa_sql_result* result, size_t column) noexcept {
  return result == nullptr ? 0 : result->result->column_type(column);
}

void FreeResult(summa_sql_result* result) noexcept { delete result; }

int32_t ResultFormat(const summa_sql_result* result) noexcept {
  return result == nullptr ? 0 : result->format;
}

}  // namespace

summa_sql_v1 MakeSqlTable(SqlScope* scope) {
  summa_sql_v1 table{};
  table.struct_size = sizeof(summa_sql_v1);
  table.self = scope;
  table.open = Open;
  table.close = Close;
  table.begin = Begin;
  table.exec = Exec;
  table.exec_autocommit = ExecAutocommit;
  table.copy_out = CopyOut;
  table.copy_in = CopyIn;
  table.commit = Commit;
  table.rollback = Rollback;
  table.row_count = RowCount;
  table.column_count = ColumnCount;
  table.affected_rows = AffectedRows;
  table.cell = CellOf;
  table.column_name = ColumnName;
  table.column_type = ColumnType;
  table.free_result = FreeResult;
  table.result_format = ResultFormat;
  return table;
}

}  // namespace summa::host
