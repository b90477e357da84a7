// One libpq connection with waits that can be bounded and woken: what Session and
// DeadlineConnection are built on. One thread at a time, except WakeUp::Signal(). Only for
// host/database: it shows libpq.
//
// After a failure of the connection it is broken for ever; nothing reconnects here.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "host/database/connection_settings.hpp"
#include "host/database/sql_error.hpp"
#include "host/database/text_rows.hpp"
#include "host/database/wake_up.hpp"

namespace summa::host {

class ServerWatch;

// The server ends a statement by itself after statement_timeout. What has not come this long after
// that never will.
inline constexpr std::chrono::seconds kAnswerMargin{5};

struct FreePgResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, FreePgResult>;

struct FinishPgConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using PgConnection = std::unique_ptr<PGconn, FinishPgConnection>;

// As PQconnectStartParams does; never null.
PgConnection StartConnecting(const ConnectionParameters& parameters);

// All values of an answer, which must be in text.
TextRows ToTextRows(const PgResult& result);

class PqConnection {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // What a signal of the WakeUp does to a wait.
  enum class OnWake {
    kCancelStatement,  // asks the server to end the statement, then waits a little for its answer
    kGiveUp            // drops the connection at once
  };

  // Connects to one server, which the parameters name by address (no name is resolved), without
  // ever waiting longer than the deadline. SH-0401 with the server's words and SQLSTATE. The WakeUp
  // must outlive the connection.
  PqConnection(const ConnectionParameters& parameters, WakeUp& wake, OnWake on_wake,
               TimePoint deadline);

  ~PqConnection();
  PqConnection(const PqConnection&) = delete;  // libpq keeps a pointer to it
  PqConnection& operator=(const PqConnection&) = delete;

  // From now on it is broken when its server falls silent or another one is the primary.
  void Watch(std::unique_ptr<ServerWatch> watch);

  PGconn* raw() const { return connection_.get(); }
  bool broken() const;
  // Looks, without waiting, whether the server has closed the connection meanwhile, or is the wrong
  // one by now.
  bool Alive();
  void RequireUsable(std::string_view sql);

  // Call before a statement is sent: until when to wait for its answer (nullopt: as long as the
  // server answers others).
  void Start(std::optional<TimePoint> deadline);
  // `sent` is what a PQsend* function returned. Reads all answers; the last one, or throws the
  // first error.
  PgResult Finish(int sent, std::string_view sql);
  // Finish in two halves.
  void Sent(int sent, std::string_view sql);
  PgResult ReadAll(std::string_view sql);
  // Between them: waits until the answer is there (true) or `timeout` is over. With kGiveUp only.
  bool AnswersBy(TimePoint timeout, std::string_view sql);
  PgResult Query(const std::string& sql, std::optional<TimePoint> deadline);  // text, no parameters
  // One statement with text parameters; ReadAll reads the answer.
  void SendText(const std::string& sql, const TextParameters& parameters, TimePoint deadline);
  // The next answer, nullptr at the end. Errors are answers too.
  PgResult Next(std::string_view sql);
  void Wait(short events, std::string_view sql);     // for COPY: until the socket is ready
  void CancelStatement() noexcept;                   // asks the server to end what runs
  bool cancel_sent() const { return cancel_sent_; }  // for the statement that was started last
  // The failure that an answer stands for.
  SqlFailure Failed(const PGresult* result, std::string_view sql);
  // Broken from now on: nobody knows in what state the session is.
  void Abandon() noexcept { broken_ = true; }
  // Reads what is left until the server is ready again; ignores errors.
  void Drain(std::string_view sql);

 private:
  [[noreturn]] void Break(const std::string& reason, std::string_view sql);
  void Establish(TimePoint deadline);
  bool InRecovery() const;
  void Flush(std::string_view sql);
  static void OnNotice(void* self, const PGresult* notice) noexcept;

  PgConnection connection_;
  std::unique_ptr<ServerWatch> watch_;
  WakeUp* wake_;
  OnWake on_wake_;
  std::optional<TimePoint> deadline_;
  bool cancel_sent_ = false;
  bool broken_ = false;
  std::string close_reason_;  // why the connection is to be closed: the server's, or our own
  std::string last_state_;    // the SQLSTATE of the server's last words
};

}  // namespace summa::host
