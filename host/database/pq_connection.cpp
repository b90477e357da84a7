#include "host/database/pq_connection.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "host/database/cancel_request.hpp"
#include "host/database/resolve.hpp"
#include "host/database/server_watch.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

// After a cancel the server answers at once; one that does not is frozen or cut off.
constexpr std::chrono::seconds kCancelTimeout{5};

std::string Field(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? std::string() : std::string(text);
}

// A write, BEGIN READ WRITE, and what needs a transaction number or a lock of a writer.
bool RefusedByRecovery(std::string_view sqlstate, std::string_view sql) {
  if (sqlstate == "0A000") return sql.starts_with("BEGIN");  // it says other things, too
  return sqlstate == "25006" || sqlstate == "55000";
}

bool IsError(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

// Until the first of them; -1: no limit.
int PollTime(const std::optional<PqConnection::TimePoint>& deadline,
             const std::optional<PqConnection::TimePoint>& next_check) {
  if (!deadline) return next_check ? PollMilliseconds(*next_check) : -1;
  return PollMilliseconds(next_check ? std::min(*deadline, *next_check) : *deadline);
}

}  // namespace

PgConnection StartConnecting(const ConnectionParameters& parameters) {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  PgConnection connection(PQconnectStartParams(keys.data(), values.data(), 0));
  if (!connection) throw std::bad_alloc();
  return connection;
}

TextRows ToTextRows(const PgResult& result) {
  TextRows rows(static_cast<std::size_t>(PQntuples(result.get())));
  const int columns = PQnfields(result.get());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const int r = static_cast<int>(row);
    rows[row].reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result.get(), r, column) != 0) {
        rows[row].emplace_back(std::nullopt);
      } else {
        rows[row].emplace_back(PQgetvalue(result.get(), r, column));
      }
    }
  }
  return rows;
}

PqConnection::PqConnection(const ConnectionParameters& parameters, WakeUp& wake, OnWake on_wake,
                           TimePoint deadline)
    : connection_(StartConnecting(parameters)), wake_(&wake), on_wake_(on_wake) {
  // From the start: libpq writes notices to standard error itself, which may be full.
  PQsetNoticeReceiver(raw(), &PqConnection::OnNotice, this);
  // For the SQLSTATE, which libpq gives of a refused connection in no other way.
  PQsetErrorVerbosity(raw(), PQERRORS_VERBOSE);
  std::string reason;
  try {
    Establish(deadline);
  } catch (const SqlFailure& failure) {
    reason = failure.error().message;
  }
  if (reason.empty() && PQstatus(raw()) != CONNECTION_OK) reason = PQerrorMessage(raw());
  if (!reason.empty()) throw ConnectionRefused(reason, parameters);
  PQsetErrorVerbosity(raw(), PQERRORS_DEFAULT);
  PQsetnonblocking(raw(), 1);
}

PqConnection::~PqConnection() = default;

void PqConnection::Watch(std::unique_ptr<ServerWatch> watch) { watch_ = std::move(watch); }

void PqConnection::Establish(TimePoint deadline) {
  deadline_ = deadline;
  for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; PQstatus(raw()) != CONNECTION_BAD;
       next = PQconnectPoll(raw())) {
    if (next == PGRES_POLLING_OK || next == PGRES_POLLING_FAILED) return;
    Wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, "");
  }
}

// Only words of the server that end the connection matter; notices of statements go to the debug
// log.
void PqConnection::OnNotice(void* self, const PGresult* notice) noexcept {
  try {
    const std::string severity = Field(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const std::string message = Field(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (severity == "FATAL" || severity == "PANIC") {
      static_cast<PqConnection*>(self)->close_reason_ = message;
      static_cast<PqConnection*>(self)->last_state_ = Field(notice, PG_DIAG_SQLSTATE);
    } else if (LogEnabled(LogLevel::kDebug)) {
      Log(LogLevel::kDebug, "", "PostgreSQL notice", {{"severity", severity}, {"text", message}});
    }
  } catch (...) {
    // Out of memory for a notice: nothing depends on it.
  }
}

bool PqConnection::broken() const { return broken_ || PQstatus(raw()) == CONNECTION_BAD; }

bool PqConnection::Alive() {
  if (watch_ && !broken() && close_reason_.empty()) close_reason_ = watch_->Outdated();
  if (!close_reason_.empty()) broken_ = true;
  // Twice: first the server's last words, then the end of the stream.
  for (int i = 0; i < 2 && !broken(); ++i) {
    pollfd socket{PQsocket(raw()), POLLIN, 0};
    if (poll(&socket, 1, 0) <= 0) return !broken();
    if (PQconsumeInput(raw()) == 0) {
      broken_ = true;
    } else {
      PQisBusy(raw());  // parses what has arrived
      if (!close_reason_.empty()) broken_ = true;
    }
  }
  return !broken();
}

void PqConnection::RequireUsable(std::string_view sql) {
  if (!broken()) return;
  throw ConnectionLost(close_reason_.empty() ? "it was lost before" : close_reason_, sql,
                       last_state_);
}

void PqConnection::Start(std::optional<TimePoint> deadline) {
  if (on_wake_ == OnWake::kCancelStatement) wake_->Clear();
  deadline_ = deadline;
  cancel_sent_ = false;
}

void PqConnection::Break(const std::string& reason, std::string_view sql) {
  broken_ = true;
  throw ConnectionLost(reason, sql);
}

void PqConnection::CancelStatement() noexcept {
  const bool taken = SendCancelRequest(raw(), kCancelTimeout);
  cancel_sent_ = true;
  // A server that does not react must not hold the thread: the wait ends with a broken connection.
  deadline_ = std::chrono::steady_clock::now();
  if (taken) *deadline_ += kCancelTimeout;
}

void PqConnection::Wait(short events, std::string_view sql) {
  AnswerWait answer_wait(watch_.get());
  for (;;) {
    if (PQsocket(raw()) < 0) return;  // closed: the next read reports why
    pollfd sockets[2] = {{PQsocket(raw()), events, 0}, {wake_->descriptor(), POLLIN, 0}};
    // Once the cancel is on its way there is nothing more to be woken for.
    const nfds_t count = cancel_sent_ ? 1 : 2;
    const int ready = poll(sockets, count, PollTime(deadline_, answer_wait.next_check()));
    if (ready < 0 && errno != EINTR) Break(std::strerror(errno), sql);
    if (ready > 0 && sockets[0].revents != 0) return;
    if (ready > 0 && count == 2 && sockets[1].revents != 0) {
      if (on_wake_ == OnWake::kGiveUp) Break("told to stop", sql);
      wake_->Clear();
      CancelStatement();
      continue;
    }
    if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) {
      Break("the server did not answer in time", sql);
    }
    if (!cancel_sent_ && !answer_wait.CheckServer(*wake_)) {
      Break("the server is silent: it responds neither on this connection nor on a new one", sql);
    }
  }
}

void PqConnection::Flush(std::string_view sql) {
  for (;;) {
    const int left = PQflush(raw());
    if (left <= 0) return;  // a failure shows itself in the next answer
    Wait(POLLIN | POLLOUT, sql);
    // The server may be unable to read on before we have read what it says.
    if (PQconsumeInput(raw()) == 0) return;
  }
}

PgResult PqConnection::Next(std::string_view sql) {
  Flush(sql);
  while (PQisBusy(raw()) != 0) {
    Wait(POLLIN, sql);
    if (PQconsumeInput(raw()) == 0) break;  // PQgetResult says why
  }
  return PgResult(PQgetResult(raw()));
}

// The server says so at the start, and when it changes (since version 14).
bool PqConnection::InRecovery() const {
  const char* standby = PQparameterStatus(raw(), "in_hot_standby");
  return standby != nullptr && std::strcmp(standby, "on") == 0;
}

SqlFailure PqConnection::Failed(const PGresult* result, std::string_view sql) {
  ServerReport report{Field(result, PG_DIAG_SQLSTATE),
                      Field(result, PG_DIAG_MESSAGE_PRIMARY),
                      Field(result, PG_DIAG_MESSAGE_DETAIL),
                      NameAt(sql, Field(result, PG_DIAG_STATEMENT_POSITION)),
                      Field(result, PG_DIAG_SOURCE_FUNCTION),
                      on_wake_ == OnWake::kGiveUp};
  if (report.message.empty()) report.message = OneLine(PQresultErrorMessage(result));
  if (InRecovery() && RefusedByRecovery(report.sqlstate, sql)) {
    Abandon();  // another server is the primary now
    return ServerIsStandby(sql);
  }
  if (!broken() && !report.sqlstate.empty()) return MakeSqlFailure(report, sql, cancel_sent_);
  broken_ = true;
  if (!close_reason_.empty()) return ConnectionLost(close_reason_, sql, last_state_);
  return ConnectionLost(report.message.empty() ? "no answer" : report.message, sql,
                        report.sqlstate);
}

PgResult PqConnection::Finish(int sent, std::string_view sql) {
  Sent(sent, sql);
  return ReadAll(sql);
}

bool PqConnection::AnswersBy(TimePoint timeout, std::string_view sql) {
  Flush(sql);
  while (PQisBusy(raw()) != 0) {
    pollfd sockets[2] = {{PQsocket(raw()), POLLIN, 0}, {wake_->descriptor(), POLLIN, 0}};
    const auto until = deadline_ ? std::min(timeout, *deadline_) : timeout;
    const int ready = poll(sockets, 2, PollMilliseconds(until));
    if (ready < 0 && errno != EINTR) Break(std::strerror(errno), sql);
    if (ready > 0 && sockets[1].revents != 0) Break("told to stop", sql);
    // When it fails, ReadAll says why.
    if (ready > 0 && PQconsumeInput(raw()) == 0) return true;
    const auto now = std::chrono::steady_clock::now();
    if (ready > 0 || now < until) continue;
    if (now < timeout) Break("the server did not answer in time", sql);
    return false;
  }
  return true;
}

void PqConnection::Sent(int sent, std::string_view sql) {
  if (sent == 0 && !broken()) {
    throw SqlFailure(Error{"SH-0405",
                           "the statement could not be sent: " + OneLine(PQerrorMessage(raw())) +
                               " in: " + StatementStart(sql),
                           "", ""},
                     "");
  }
  if (sent == 0) Break(OneLine(PQerrorMessage(raw())), sql);
}

PgResult PqConnection::ReadAll(std::string_view sql) {
  PgResult last, error;
  while (PgResult next = Next(sql)) {
    if (IsError(next.get())) {
      if (!error) error = std::move(next);
      continue;
    }
    const ExecStatusType status = PQresultStatus(next.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      return next;  // the caller continues with the copy
    }
    last = std::move(next);
  }
  if (error) throw Failed(error.get(), sql);
  if (!last) Break("no answer", sql);
  return last;
}

void PqConnection::SendText(const std::string& sql, const TextParameters& parameters,
                            TimePoint deadline) {
  RequireUsable(sql);
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  Start(deadline);
  Sent(PQsendQueryParams(raw(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                         values.data(), nullptr, nullptr, 0),
       sql);
}

PgResult PqConnection::Query(const std::string& sql, std::optional<TimePoint> deadline) {
  RequireUsable(sql);
  Start(deadline);
  return Finish(PQsendQuery(raw(), sql.c_str()), sql);
}

void PqConnection::Drain(std::string_view sql) {
  while (PgResult next = Next(sql)) {
    const ExecStatusType status = PQresultStatus(next.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) Break("in the middle of a copy", sql);
    if (status != PGRES_COPY_OUT) continue;
    if (broken()) return;
    for (char* row = nullptr;;) {
      const int size = PQgetCopyData(raw(), &row, 1);
      if (size < 0) break;
      if (row != nullptr) PQfreemem(row);
      if (size > 0) continue;
      Wait(POLLIN, sql);
      if (PQconsumeInput(raw()) == 0) break;
    }
  }
}

}  // namespace summa::host
