// Session over libpq, with what the pool needs besides. Only for host/database.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "host/database/open_connection.hpp"
#include "host/database/session.hpp"
#include "host/database/statement_cache.hpp"
#include "host/database/statement_kind.hpp"

namespace summa::host {

class PqSession final : public Session {
 public:
  explicit PqSession(const DatabaseSettings& settings);
  ~PqSession() override;

  void Begin(TransactionMode mode, const LeaseGuard* guard) override;
  std::unique_ptr<SqlResult> Exec(std::string_view sql, std::span<const SqlParameter> parameters,
                                  int result_format) override;
  void ExecAutocommit(std::string_view sql, const LeaseGuard* guard) override;
  void CopyOut(std::string_view sql, const std::function<bool(std::string_view)>& on_row) override;
  void CopyIn(std::string_view sql,
              const std::function<std::optional<std::string_view>()>& next) override;
  void Commit(const LeaseGuard* guard) override;
  void Rollback() override;
  bool in_transaction() const override;
  bool broken() const override { return connection_.broken(); }
  void Cancel() noexcept override { wake_.Signal(); }
  int backend_pid() const override { return identity_.pid; }

  // Makes it fit for the next user; false: it must be dropped. Bounded in time. The last step, the
  // settings of the session anew, is only begun.
  bool Reset() noexcept;
  // Ends it; false: it must be dropped.
  bool FinishReset() noexcept;

  std::chrono::steady_clock::time_point idle_since{};  // the pool's
  SessionBudget::Ticket ticket{};                      // the pool's, while it is in use

 private:
  PgResult RunOnce(const std::string& sql, int result_format);
  PgResult RunPrepared(const PreparedStatement& statement, int result_format);
  const PreparedStatement& Prepare(const std::string& sql, bool leaves_traces);
  std::optional<PqConnection::TimePoint> AnswerDeadline() const;
  void RequireFence(std::string_view sql);
  void FillArguments(std::string_view sql, std::span<const SqlParameter> parameters);
  void DeallocateStale();
  std::string SettingsText();  // makes the settings again when it is sent
  void StartCopy(std::string_view sql, ExecStatusType expected);
  void OpenAutocommit(StatementKind kind, std::string_view sql, const LeaseGuard* guard);
  bool EndAutocommit(std::string_view sql, const LeaseGuard* guard);
  std::string GuardRows(const LeaseGuard& guard) const;
  std::string CommitText(const LeaseGuard* guard) const;
  void FinishCommit(const std::string& text, bool guarded);
  void Resolve(const SqlFailure& lost);
  bool SendChunks(const std::function<std::optional<std::string_view>()>& next,
                  std::string_view sql);

  const DatabaseSettings settings_;
  WakeUp wake_;  // outlives the connection
  std::string lease_table_;
  OpenedConnection opened_;
  PqConnection& connection_;
  const BackendIdentity& identity_;
  StatementCache cache_;
  std::vector<std::string> stale_;  // names that the server still has and we no longer use
  TransactionMode mode_ = TransactionMode::kReadOnly;
  std::string transaction_id_;  // of a read-write transaction
  bool cursor_declared_ = false;
  bool traces_left_ = false;
  bool timeout_changed_ = false;  // statement_timeout, perhaps, by the user
  bool resetting_ = false;
  std::string settings_text_;  // prepares the statement, until SettingsText() was called
  std::vector<const char*> values_;
  std::vector<int> lengths_, formats_;
  std::vector<Oid> types_;
};

}  // namespace summa::host
