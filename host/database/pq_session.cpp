#include "host/database/pq_session.hpp"

#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "host/database/commit_outcome.hpp"
#include "host/database/connection_settings.hpp"
#include "host/database/session_settings.hpp"
#include "summa/crash_point.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxParameters = 65535;     // of PostgreSQL's protocol
constexpr std::chrono::seconds kResetTimeout{5};  // a session that takes longer is dropped
constexpr const char* kSettingsStatement = "summa_settings";

class PqResult final : public SqlResult {
 public:
  explicit PqResult(PgResult result) : result_(std::move(result)) {}
  std::size_t rows() const override { return static_cast<std::size_t>(PQntuples(result_.get())); }
  std::size_t columns() const override {
    return static_cast<std::size_t>(PQnfields(result_.get()));
  }
  std::int64_t affected_rows() const override {
    return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10);
  }
  std::optional<std::string_view> Cell(std::size_t row, std::size_t column) const override {
    if (row >= rows() || column >= columns()) return std::nullopt;
    const int r = static_cast<int>(row), c = static_cast<int>(column);
    if (PQgetisnull(result_.get(), r, c) != 0) return std::nullopt;
    return std::string_view(PQgetvalue(result_.get(), r, c),
                            static_cast<std::size_t>(PQgetlength(result_.get(), r, c)));
  }
  std::string_view column_name(std::size_t column) const override {
    if (column >= columns()) return {};
    return PQfname(result_.get(), static_cast<int>(column));
  }
  std::uint32_t column_type(std::size_t column) const override {
    if (column >= columns()) return 0;
    return PQftype(result_.get(), static_cast<int>(column));
  }

 private:
  PgResult result_;
};

// Whatever a statement did: what is committed without the guard has written nothing.
constexpr const char* kReadOnlyCommit =
    "SELECT 1/(CASE WHEN pg_catalog.current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 "
    "END); COMMIT";

[[noreturn]] void Misused(const std::string& message, std::string_view sql, const char* hint) {
  throw SqlFailure(Error{"SH-0407", message + " in: " + StatementStart(sql), hint, ""}, "");
}

void CheckAllowed(StatementKind kind, std::string_view sql, bool in_transaction) {
  const char* why = nullptr;
  if (kind == StatementKind::kTransaction) {
    why =
        "transactions are begun and ended with begin, commit and rollback of the session, so "
        "that every commit is fenced";
  } else if (kind == StatementKind::kSessionState) {
    why =
        "the next user of the connection gets it with default settings; use SET LOCAL, which lasts "
        "for one transaction";
  } else if (kind == StatementKind::kCopy) {
    why = "COPY goes through copy_out and copy_in";
  } else if (kind == StatementKind::kBlock && !in_transaction) {
    why = "DO and CALL could commit by themselves; run them inside a transaction";
  }
  if (why == nullptr) return;
  throw SqlFailure(
      Error{"SH-0408", "the statement is not allowed here: " + StatementStart(sql), why, ""}, "");
}

// The number is asked for in the message of BEGIN: it must be known before COMMIT is sent, and a
// message of its own would cost a round trip.
std::string BeginText(Microseconds idle_limit, Microseconds session_limit) {
  std::string text =
      "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT "
      "pg_catalog.pg_current_xact_id()::text";
  if (idle_limit >= session_limit) return text;
  text += ", pg_catalog.set_config('idle_in_transaction_session_timeout', '";
  text += std::to_string(std::chrono::floor<std::chrono::milliseconds>(idle_limit).count());
  return text + "', true)";
}

// Prepares the statement that makes the settings as they are now, and executes it.
std::string PrepareSettings(const DatabaseSettings& settings, PqConnection& connection) {
  const int version = PQserverVersion(connection.raw());
  const PgResult rows =
      connection.Query(ShowSettings(settings, true, version), ConnectDeadline(settings));
  std::vector<std::pair<std::string, std::string>> shown;
  shown.reserve(static_cast<std::size_t>(PQntuples(rows.get())));
  for (int row = 0; row < PQntuples(rows.get()); ++row) {
    shown.emplace_back(PQgetvalue(rows.get(), row, 0), PQgetvalue(rows.get(), row, 1));
  }
  const std::string name = kSettingsStatement;
  return "PREPARE " + name + " AS " + SettingsStatement(shown) + "; EXECUTE " + name;
}

}  // namespace

PqSession::PqSession(const DatabaseSettings& settings)
    : settings_(settings),
      lease_table_(QuoteIdentifier(settings.schema) + ".worker_lease"),
      opened_(OpenConnection(settings, true, wake_, PqConnection::OnWake::kCancelStatement,
                             ConnectDeadline(settings))),
      connection_(*opened_.connection),
      identity_(opened_.identity),
      settings_text_(PrepareSettings(settings, connection_)) {}

PqSession::~PqSession() = default;

bool PqSession::in_transaction() const {
  const PGTransactionStatusType status = PQtransactionStatus(connection_.raw());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

// A COMMIT and a COPY have none: they may wait for a standby, or for the reader, as long as the
// server answers others.
std::optional<PqConnection::TimePoint> PqSession::AnswerDeadline() const {
  if (timeout_changed_ || settings_.statement_timeout <= Microseconds(0)) return std::nullopt;
  return std::chrono::steady_clock::now() + settings_.statement_timeout + kAnswerMargin;
}

void PqSession::Begin(TransactionMode mode, const LeaseGuard* guard) {
  connection_.RequireUsable("BEGIN");
  if (in_transaction()) Misused("a transaction is already open", "BEGIN", "Commit or roll back");
  mode_ = mode;
  timeout_changed_ = traces_left_;  // SET LOCAL ended with its transaction
  transaction_id_.clear();
  if (mode != TransactionMode::kReadWrite) {
    const bool repeatable = mode == TransactionMode::kRepeatableReadOnly;
    connection_.Query(repeatable ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                 : "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
                      AnswerDeadline());
    return;
  }
  const Microseconds session_limit = settings_.idle_in_transaction_timeout;
  const bool leased = guard != nullptr && guard->time_to_live > Microseconds(0);
  const Microseconds idle_limit =
      leased ? guard->time_to_live - TrustMargin(guard->time_to_live) : session_limit;
  try {
    const PgResult row = connection_.Query(BeginText(idle_limit, session_limit), AnswerDeadline());
    transaction_id_ = PQgetvalue(row.get(), 0, 0);
  } catch (...) {
    if (!connection_.broken() && in_transaction()) Rollback();
    throw;
  }
  CrashPoint("sql.begun");
}

// The server reports the setting whenever it changes (since version 14), whatever has changed it: a
// statement, or a function that it calls. Whatever comes next could write past the fence.
void PqSession::RequireFence(std::string_view sql) {
  const char* value = PQparameterStatus(connection_.raw(), "default_transaction_read_only");
  if (value == nullptr || std::strcmp(value, "on") == 0 || connection_.broken()) return;
  connection_.Abandon();
  throw SqlFailure(
      Error{"SH-0426",
            "a statement made the session writable outside a transaction; the session was "
            "closed, and nothing of an open transaction was committed, in: " +
                StatementStart(sql),
            "default_transaction_read_only belongs to the host: write between begin and commit",
            ""},
      "");
}

void PqSession::FillArguments(std::string_view sql, std::span<const SqlParameter> parameters) {
  if (parameters.size() > kMaxParameters) {
    Misused(std::to_string(parameters.size()) + " parameters; at most 65535 are possible", sql,
            "Pass arrays");
  }
  values_.clear();
  lengths_.clear();
  formats_.clear();
  types_.clear();
  for (const SqlParameter& parameter : parameters) {
    const auto name = [this] { return "$" + std::to_string(values_.size() + 1); };
    if (parameter.size > INT_MAX) Misused(name() + " is larger than 2 GB", sql, "Use copy_in");
    if (parameter.format == 0 && parameter.data != nullptr) {
      // The protocol ends a text at its first NUL: what follows would be lost silently.
      const void* nul = std::memchr(parameter.data, '\0', parameter.size + 1);
      if (nul != parameter.data + parameter.size) {
        Misused(name() + " is a text that contains a NUL byte or does not end with one", sql,
                "PostgreSQL does not store NUL in texts; pass bytes in binary format");
      }
    }
    values_.push_back(parameter.data);
    lengths_.push_back(static_cast<int>(parameter.size));
    formats_.push_back(parameter.format);
    types_.push_back(parameter.type);
  }
}

PgResult PqSession::RunOnce(const std::string& sql, int result_format) {
  connection_.Start(AnswerDeadline());
  PgResult result = connection_.Finish(
      PQsendQueryParams(connection_.raw(), sql.c_str(), static_cast<int>(values_.size()),
                        types_.data(), values_.data(), lengths_.data(), formats_.data(),
                        result_format),
      sql);
  RequireFence(sql);
  return result;
}

void PqSession::DeallocateStale() {
  while (!stale_.empty()) {
    connection_.Query("DEALLOCATE " + stale_.back(), AnswerDeadline());
    stale_.pop_back();
  }
}

const PreparedStatement& PqSession::Prepare(const std::string& sql, bool leaves_traces) {
  if (auto name = cache_.MakeRoom()) stale_.push_back(std::move(*name));
  DeallocateStale();
  PreparedStatement statement{sql, cache_.NewName(), {types_.begin(), types_.end()}, leaves_traces};
  connection_.Start(AnswerDeadline());
  connection_.Finish(PQsendPrepare(connection_.raw(), statement.name.c_str(), sql.c_str(),
                                   static_cast<int>(types_.size()), types_.data()),
                     sql);
  return cache_.Add(std::move(statement));
}

PgResult PqSession::RunPrepared(const PreparedStatement& statement, int result_format) {
  if (statement.leaves_traces) traces_left_ = timeout_changed_ = true;
  connection_.Start(AnswerDeadline());
  try {
    PgResult result =
        connection_.Finish(PQsendQueryPrepared(connection_.raw(), statement.name.c_str(),
                                               static_cast<int>(values_.size()), values_.data(),
                                               lengths_.data(), formats_.data(), result_format),
                           statement.sql);
    RequireFence(statement.sql);
    return result;
  } catch (const SqlFailure& failure) {
    // The table was altered, or the name is unknown to the server: the next use prepares anew.
    if (failure.sqlstate() == "0A000") stale_.push_back(statement.name);
    if (failure.sqlstate() == "0A000" || failure.sqlstate() == "26000") {
      const std::string text = statement.sql;
      cache_.Forget(text);
    }
    throw;
  }
}

std::unique_ptr<SqlResult> PqSession::Exec(std::string_view sql,
                                           std::span<const SqlParameter> parameters,
                                           int result_format) {
  connection_.RequireUsable(sql);
  FillArguments(sql, parameters);
  if (const PreparedStatement* known = cache_.Find(sql); known && known->types == types_) {
    return std::make_unique<PqResult>(RunPrepared(*known, result_format));
  }
  const std::string text(sql);
  if (text.find('\0') != std::string::npos) Misused("the statement contains a NUL byte", sql, "");
  const StatementKind kind = KindOf(sql);
  CheckAllowed(kind, sql, in_transaction());
  if (kind == StatementKind::kCursor) cursor_declared_ = true;
  const bool leaves_traces = LeavesTraces(sql);
  if (leaves_traces) traces_left_ = true;
  if (MayChangeTimeout(sql)) timeout_changed_ = true;
  const bool prepare =
      kind == StatementKind::kPreparable && cache_.Find(sql) == nullptr && cache_.SeenBefore(sql);
  PgResult result = prepare ? RunPrepared(Prepare(text, leaves_traces), result_format)
                            : RunOnce(text, result_format);
  return std::make_unique<PqResult>(std::move(result));
}

// One row while the lease is held.
std::string PqSession::GuardRows(const LeaseGuard& guard) const {
  const auto literal = [this](const std::string& text) {
    const std::unique_ptr<char, decltype(&PQfreemem)> quoted(
        PQescapeLiteral(connection_.raw(), text.data(), text.size()), &PQfreemem);
    if (!quoted) Misused("the names of the lease are not valid text", "COMMIT", "");
    return std::string(quoted.get());
  };
  return " FROM " + lease_table_ +
         " l JOIN summa_host.worker_fence f ON f.worker = l.worker_id WHERE l.worker_id = " +
         literal(guard.worker_id) + " AND l.lease_holder = " + literal(guard.holder) +
         " AND l.lease_until > pg_catalog.clock_timestamp() AND f.fence = " +
         std::to_string(guard.fence);
}

// Lease row first, then fence row, in every statement of ours: the other order deadlocks. It raises
// when the lease is gone, so that one message carries guard and COMMIT and nothing can freeze in
// between.
std::string PqSession::CommitText(const LeaseGuard* guard) const {
  if (mode_ != TransactionMode::kReadWrite) return kReadOnlyCommit;
  if (guard == nullptr) return "COMMIT";
  return "WITH g AS MATERIALIZED (SELECT 1" + GuardRows(*guard) +
         " FOR SHARE) SELECT 1/(SELECT pg_catalog.count(*) FROM g)::int; COMMIT";
}

void PqSession::Commit(const LeaseGuard* guard) {
  // Whatever broke before COMMIT was sent left nothing behind; only from there on is it in doubt.
  connection_.Alive();
  connection_.RequireUsable("COMMIT");
  if (PQtransactionStatus(connection_.raw()) == PQTRANS_IDLE) {
    Misused("no transaction is open", "COMMIT", "Begin one first");
  }
  const bool guarded = guard != nullptr && mode_ == TransactionMode::kReadWrite;
  const std::string text = CommitText(guarded ? guard : nullptr);
  const bool writes = mode_ == TransactionMode::kReadWrite;
  if (writes) CrashPoint("sql.commit");
  try {
    FinishCommit(text, guarded);
  } catch (...) {
    // The server has aborted it already; give the locks back now.
    if (!connection_.broken() && in_transaction()) Rollback();
    throw;
  }
  if (writes) CrashPoint("sql.committed");
}

// Returns when the transaction was committed.
void PqSession::Resolve(const SqlFailure& lost) {
  if (transaction_id_.empty()) throw SqlFailure(lost);  // read only: there is nothing to lose
  const CommitResolution resolution =
      ResolveCommit(settings_, {transaction_id_, identity_},
                    [this] { return wake_.signalled() || connection_.cancel_sent(); });
  if (resolution.outcome == CommitOutcome::kCommitted) return;
  if (resolution.outcome == CommitOutcome::kAborted) throw SqlFailure(lost);
  throw SqlFailure(
      Error{"SH-0404",
            "the outcome of a COMMIT is unknown: " + lost.error().message + "; " + resolution.why,
            "The next run checks the work again; nothing is lost", ""},
      "");
}

void PqSession::FinishCommit(const std::string& text, bool guarded) {
  connection_.Start(std::nullopt);
  const bool read_only = mode_ != TransactionMode::kReadWrite;
  bool guard_passed = !guarded && !read_only;
  std::string tag;
  PgResult error;
  try {
    if (PQsendQuery(connection_.raw(), text.c_str()) == 0 && !connection_.broken()) {
      Misused("the commit could not be sent", "COMMIT", "");
    }
    while (PgResult next = connection_.Next("COMMIT")) {
      const ExecStatusType status = PQresultStatus(next.get());
      if (status == PGRES_TUPLES_OK) guard_passed = true;
      if (status == PGRES_COMMAND_OK) tag = PQcmdStatus(next.get());
      if (status == PGRES_FATAL_ERROR && !error) error = std::move(next);
    }
    if (tag != "COMMIT" && error) throw connection_.Failed(error.get(), "COMMIT");
    if (tag.empty()) throw ConnectionLost("no answer", "COMMIT");
  } catch (const SqlFailure& failure) {
    if (tag == "COMMIT") return;  // the server reported it before the connection was lost
    // The server's idle limit ends a transaction before any COMMIT is read: that is no doubt.
    if (failure.error().code == "SH-0402" && failure.sqlstate() != kIdleTooLong) {
      return Resolve(failure);
    }
    if (read_only && !guard_passed && failure.sqlstate() == "22012") {
      throw SqlFailure(Error{"SH-0426",
                             "a statement made a read-only transaction writable; nothing was "
                             "committed",
                             "Begin a read-write transaction to write", ""},
                       "");
    }
    if (guarded && !guard_passed &&
        (failure.sqlstate() == "22012" || failure.sqlstate() == "40001")) {
      throw FencedFailure(Error{"SH-0301", "the lease was gone at commit; nothing was committed",
                                "Another host continues the work; check clocks, pauses and "
                                "lease_ttl when this happens often",
                                ""},
                          failure.sqlstate());
    }
    throw;
  }
  if (tag == "COMMIT") return;
  throw SqlFailure(Error{"SH-0405",
                         "the server answered " + tag +
                             " to COMMIT: an earlier statement had failed, nothing was committed",
                         "Roll back after a failed statement", ""},
                   "25P02");
}

void PqSession::Rollback() {
  connection_.RequireUsable("ROLLBACK");
  if (PQtransactionStatus(connection_.raw()) == PQTRANS_IDLE) return;
  connection_.Query("ROLLBACK", std::chrono::steady_clock::now() + kResetTimeout);
}

std::string PqSession::SettingsText() {
  return std::exchange(settings_text_, std::string("EXECUTE ") + kSettingsStatement);
}

bool PqSession::Reset() noexcept {
  try {
    if (traces_left_) return false;
    Rollback();
    if (cursor_declared_) {
      connection_.Query("CLOSE ALL", std::chrono::steady_clock::now() + kResetTimeout);
      cursor_declared_ = false;
    }
    if (connection_.broken() || PQtransactionStatus(connection_.raw()) != PQTRANS_IDLE) {
      return false;
    }
    // RESET in a function, or a setting that a function left: nothing of it reaches the next user.
    // The answer is read by the next Take, which costs it no round trip.
    connection_.Start(std::chrono::steady_clock::now() + kResetTimeout);
    const std::string text = SettingsText();
    connection_.Sent(PQsendQuery(connection_.raw(), text.c_str()), text);
    PQflush(connection_.raw());
    resetting_ = true;
    return true;
  } catch (...) {
    return false;  // what went wrong no longer matters: the connection is dropped
  }
}

bool PqSession::FinishReset() noexcept {
  if (!resetting_) return !connection_.broken();
  try {
    resetting_ = false;
    connection_.ReadAll(settings_text_);
    // Behind the answer the server may have ended the session.
    return connection_.Alive() && PQtransactionStatus(connection_.raw()) == PQTRANS_IDLE;
  } catch (...) {
    return false;
  }
}

std::unique_ptr<Session> ConnectSession(const DatabaseSettings& settings) {
  return std::make_unique<PqSession>(settings);
}

}  // namespace summa::host
