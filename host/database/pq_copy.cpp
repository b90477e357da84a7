// COPY of a session, in both directions.
#include <poll.h>

#include <exception>

#include "host/database/pq_session.hpp"
#include "host/database/statement_kind.hpp"

namespace summa::host {

// In the extended protocol, which takes one statement only: no COMMIT can hide behind the COPY.
void PqSession::StartCopy(std::string_view sql, ExecStatusType expected) {
  connection_.RequireUsable(sql);
  const std::string text(sql);
  if (KindOf(sql) != StatementKind::kCopy || text.find('\0') != std::string::npos) {
    throw SqlFailure(Error{"SH-0408", "not a COPY statement: " + StatementStart(sql),
                           "Run other statements with exec", ""},
                     "");
  }
  connection_.Start(std::nullopt);
  const PgResult started = connection_.Finish(
      PQsendQueryParams(connection_.raw(), text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0),
      sql);
  const ExecStatusType status = PQresultStatus(started.get());
  if (status == expected) return;
  if (status == PGRES_COPY_IN) {
    PQputCopyEnd(connection_.raw(), "COPY FROM where COPY TO was expected");
    connection_.Drain(sql);
  } else if (status == PGRES_COPY_OUT) {
    connection_.CancelStatement();
    connection_.Drain(sql);
  }
  throw SqlFailure(Error{"SH-0408", "the COPY goes in the other direction: " + StatementStart(sql),
                         "copy_out takes COPY .. TO STDOUT, copy_in takes COPY .. FROM STDIN", ""},
                   "");
}

void PqSession::CopyOut(std::string_view sql, const std::function<bool(std::string_view)>& on_row) {
  StartCopy(sql, PGRES_COPY_OUT);
  std::exception_ptr thrown;
  bool stopped = false;
  for (;;) {
    char* data = nullptr;
    const int size = PQgetCopyData(connection_.raw(), &data, 1);
    if (size == 0) {
      connection_.Wait(POLLIN, sql);
      if (PQconsumeInput(connection_.raw()) == 0) break;  // Finish says why
      continue;
    }
    if (size < 0) break;
    const std::unique_ptr<char, decltype(&PQfreemem)> row(data, &PQfreemem);
    try {
      stopped = !on_row({data, static_cast<std::size_t>(size)});
    } catch (...) {
      thrown = std::current_exception();
    }
    if (stopped || thrown) break;
  }
  if (!stopped && !thrown) {
    connection_.Finish(1, sql);
    RequireFence(sql);
    return;
  }
  connection_.CancelStatement();
  connection_.Drain(sql);
  if (thrown) std::rethrow_exception(thrown);
  throw SqlFailure(Error{"SH-0409", "the copy was stopped by its reader: " + StatementStart(sql),
                         "Roll back; the transaction can no longer be used", "", SUMMA_E_CANCELLED},
                   "57014");
}

// False: the server no longer takes data, its answer says why.
bool PqSession::SendChunks(const std::function<std::optional<std::string_view>()>& next,
                           std::string_view sql) {
  while (const auto chunk = next()) {
    for (int sent = 0; sent == 0;) {
      sent = PQputCopyData(connection_.raw(), chunk->data(), static_cast<int>(chunk->size()));
      if (sent < 0) return false;
      if (sent == 0) connection_.Wait(POLLOUT, sql);
    }
    // What is not flushed would pile up in memory.
    while (PQflush(connection_.raw()) == 1) {
      connection_.Wait(POLLIN | POLLOUT, sql);
      if (PQconsumeInput(connection_.raw()) == 0) return false;
    }
  }
  return true;
}

void PqSession::CopyIn(std::string_view sql,
                       const std::function<std::optional<std::string_view>()>& next) {
  StartCopy(sql, PGRES_COPY_IN);
  bool complete = false;
  try {
    complete = SendChunks(next, sql);
  } catch (const SqlFailure&) {
    if (connection_.broken()) throw;
    PQputCopyEnd(connection_.raw(), "aborted by the sender");
    connection_.Drain(sql);
    throw;
  } catch (...) {
    PQputCopyEnd(connection_.raw(), "aborted by the sender");
    connection_.Drain(sql);
    throw;
  }
  if (complete) PQputCopyEnd(connection_.raw(), nullptr);
  connection_.Finish(1, sql);
  RequireFence(sql);
}

}  // namespace summa::host
