#include "watched_sql.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <utility>

#include <summa/error.hpp>

namespace summa::conformance {
namespace {

// Which function belongs to which watcher: results and the session functions have no `self` of the
// table. One suite runs at a time in a process.
std::atomic<WatchedSql*> watcher{nullptr};

std::string UpperStart(std::string_view statement) {
  constexpr std::size_t kEnough = 400;
  std::string text;
  for (const char c : statement.substr(0, kEnough)) {
    const auto byte = static_cast<unsigned char>(c);
    text += std::isspace(byte) != 0 ? ' ' : static_cast<char>(std::toupper(byte));
  }
  text.erase(0, text.find_first_not_of(' '));
  return text;
}

bool Writes(std::string_view statement) {
  const std::string text = UpperStart(statement);
  for (const char* word : {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP",
                           "ALTER", "COPY", "VACUUM", "REINDEX"}) {
    if (text.starts_with(word)) return true;
  }
  if (!text.starts_with("WITH")) return false;
  for (const char* part : {"INSERT INTO ", "UPDATE ", "DELETE FROM ", "MERGE INTO "}) {
    if (text.find(part) != std::string::npos) return true;
  }
  return false;
}

std::string Quoted(std::string_view statement) {
  constexpr std::size_t kShown = 80;
  std::string text;
  for (const char c : statement.substr(0, kShown)) {
    text += std::isspace(static_cast<unsigned char>(c)) != 0 ? ' ' : c;
  }
  return "\"" + text + (statement.size() > kShown ? "...\"" : "\"");
}

constexpr const char* kUnleased =
    "writes in a session without a lease, after its worker was told that the lease is lost: ";

}  // namespace

void WatchedLease::CountStatement() {
  const MutexLock lock(mutex_);
  ++statements_;
}
std::size_t WatchedLease::statements() const {
  const MutexLock lock(mutex_);
  return statements_;
}
bool WatchedLease::lost() const {
  const MutexLock lock(mutex_);
  return lost_at_ > 0 && statements_ >= lost_at_;
}
void WatchedLease::TellThisThread() {
  const MutexLock lock(mutex_);
  told_.insert(std::this_thread::get_id());
}
bool WatchedLease::ThisThreadKnows() const {
  const MutexLock lock(mutex_);
  return told_.contains(std::this_thread::get_id());
}

struct WatchedSql::Session {
  summa_sql_session* inside;
  std::string opened_in;
  WatchedLease* lease;
  std::atomic<bool> in_use{false};
};

struct WatchedSql::Functions {
  static std::int32_t Open(void* self, summa_str database, summa_sql_session** out,
                           summa_error* error) {
    const auto& table = *static_cast<const Table*>(self);
    return table.owner->Open(table, database, out, error);
  }
  static void Close(summa_sql_session* handle) {
    WatchedSql* sql = watcher.load();
    if (handle != nullptr && sql != nullptr) sql->Close(handle);
  }
  static std::int32_t Begin(summa_sql_session* handle, std::uint32_t flags, summa_error* error) {
    return Do(handle, "begin()", error, [=](WatchedSql& sql, summa_sql_session* inside) {
      sql.CountStatement(handle);
      return sql.inner_->begin(inside, flags, error);
    });
  }
  static std::int32_t Exec(summa_sql_session* handle, summa_str text,
                           const summa_sql_parameter* parameters, std::size_t count,
                           std::int32_t format, summa_sql_result** out, summa_error* error) {
    return Do(handle, "exec()", error, [=](WatchedSql& sql, summa_sql_session* inside) {
      sql.CountStatement(handle);
      if (Writes(FromAbi(text))) sql.SeeWrite(handle, FromAbi(text));
      const std::int32_t status =
          sql.inner_->exec(inside, text, parameters, count, format, out, error);
      if (status == SUMMA_OK && out != nullptr) sql.Keep(*out);
      return status;
    });
  }
  static std::int32_t ExecAutocommit(summa_sql_session* handle, summa_str text,
                                     summa_error* error) {
    return Do(handle, "exec_autocommit()", error, [=](WatchedSql& sql, summa_sql_session* inside) {
      sql.CountStatement(handle);
      if (sql.IsFenced(handle)) return Fenced(error);
      sql.SeeWrite(handle, FromAbi(text));
      return sql.inner_->exec_autocommit(inside, text, error);
    });
  }
  static std::int32_t CopyOut(summa_sql_session* handle, summa_str text,
                              std::int32_t (*on_row)(void*, const char*, std::size_t), void* user,
                              summa_error* error) {
    return Do(handle, "copy_out()", error, [=](WatchedSql& sql, summa_sql_session* inside) {
      sql.CountStatement(handle);
      return sql.inner_->copy_out(inside, text, on_row, user, error);
    });
  }
  static std::int32_t CopyIn(summa_sql_session* handle, summa_str text,
                             std::int32_t (*next)(void*, const char**, std::size_t*), void* user,
                             summa_error* error) {
    return Do(handle, "copy_in()", error, [=](WatchedSql& sql, summa_sql_session* inside) {
      sql.CountStatement(handle);
      sql.SeeWrite(handle, FromAbi(text));
      return sql.inner_->copy_in(inside, text, next, user, error);
    });
  }
  static std::int32_t Commit(summa_sql_session* handle, summa_error* error) {
    return Do(handle, "commit()", error, [=](WatchedSql& sql, summa_sql_session* inside) {
      sql.CountStatement(handle);
      if (!sql.IsFenced(handle)) return sql.inner_->commit(inside, error);
      summa_error ignored = summa::detail::EmptyError();
      sql.inner_->rollback(inside, &ignored);
      return Fenced(error);
    });
  }
  static std::int32_t Rollback(summa_sql_session* handle, summa_error* error) {
    return Do(handle, "rollback()", error, [=](WatchedSql& sql, summa_sql_session* inside) {
      return sql.inner_->rollback(inside, error);
    });
  }
  static void Free(summa_sql_result* result) {
    WatchedSql* sql = watcher.load();
    if (result != nullptr && sql != nullptr) sql->Free(result);
  }

 private:
  template <typename Function>
  static std::int32_t Do(summa_sql_session* handle, const char* name, summa_error* error,
                         const Function& function) {
    WatchedSql* sql = watcher.load();
    if (sql == nullptr) return summa::detail::Fill(error, SUMMA_E_INTERNAL, "", "it has ended");
    return sql->Use(handle, name, error,
                    [&](summa_sql_session* inside) { return function(*sql, inside); });
  }
  static std::int32_t Fenced(summa_error* error) {
    return summa::detail::Fill(error, SUMMA_E_FENCED, "SH-0301",
                               "the lease was taken away by the conformance suite",
                               "Return; nothing was committed");
  }
};

WatchedSql::WatchedSql(const summa_sql_v1* inner, std::function<void(const std::string&)> on_defect)
    : on_defect_(std::move(on_defect)), inner_(inner) {
  if (inner_ == nullptr) {
    scripted_ = std::make_unique<testkit::ScriptedSql>();
    inner_ = scripted_->table();
  }
  watcher = this;
}

// A plugin that still uses its sessions finds nothing here; the check has said so before.
WatchedSql::~WatchedSql() {
  WatchedSql* self = this;
  watcher.compare_exchange_strong(self, nullptr);
  // What the plugin has left open; a thread of it that is in a call still needs its session.
  for (const auto& [handle, session] : sessions_) {
    if (!session->in_use) inner_->close(session->inside);
  }
}

const summa_sql_v1* WatchedSql::Lend(LentMemory& memory, std::string opened_in,
                                     WatchedLease* lease) {
  summa_sql_v1 table{};
  {
    const MutexLock lock(mutex_);
    tables_.push_back(std::make_unique<Table>(Table{this, std::move(opened_in), lease}));
    table.self = tables_.back().get();
  }
  table.open = &Functions::Open;
  table.close = &Functions::Close;
  table.begin = &Functions::Begin;
  table.exec = &Functions::Exec;
  table.exec_autocommit = &Functions::ExecAutocommit;
  table.copy_out = &Functions::CopyOut;
  table.copy_in = &Functions::CopyIn;
  table.commit = &Functions::Commit;
  table.rollback = &Functions::Rollback;
  table.row_count = inner_->row_count;
  table.column_count = inner_->column_count;
  table.affected_rows = inner_->affected_rows;
  table.cell = inner_->cell;
  table.column_name = inner_->column_name;
  table.column_type = inner_->column_type;
  table.free_result = &Functions::Free;
  table.result_format = inner_->result_format;
  return memory.Struct(table);
}

void WatchedSql::SetCurrentLease(WatchedLease* lease) {
  const MutexLock lock(mutex_);
  current_lease_ = lease;
}

void WatchedSql::SetAway(bool away) {
  const MutexLock lock(mutex_);
  away_ = away;
}

std::vector<std::string> WatchedSql::LeftOpen(const std::string& opened_in) {
  std::vector<std::string> left;
  const MutexLock lock(mutex_);
  for (const auto& [handle, session] : sessions_) {
    if (!opened_in.empty() && session->opened_in != opened_in) continue;
    if (session->opened_in.empty()) continue;
    left.push_back(session->opened_in);
    session->opened_in.clear();
  }
  return left;
}

std::size_t WatchedSql::unfreed_results() const {
  const MutexLock lock(mutex_);
  return results_.size();
}

std::int32_t WatchedSql::Open(const Table& table, summa_str database, summa_sql_session** out,
                              summa_error* error) {
  if (const char* call = forbidden_in_) {
    Report(std::string("opens a session in ") + call + ", where there is no input and output");
  }
  {
    const MutexLock lock(mutex_);
    if (away_) {
      return summa::detail::Fill(error, SUMMA_E_UNAVAILABLE, "SH-0401",
                                 "the conformance suite has taken the database away",
                                 "Return this failure; the host calls again");
    }
  }
  summa_sql_session* inside = nullptr;
  const std::int32_t status = inner_->open(inner_->self, database, &inside, error);
  if (status != SUMMA_OK) return status;
  auto session = std::make_unique<Session>();
  session->inside = inside;
  session->opened_in = table.opened_in;
  session->lease = table.lease;
  *out = reinterpret_cast<summa_sql_session*>(session.get());
  const MutexLock lock(mutex_);
  sessions_[*out] = std::move(session);
  return SUMMA_OK;
}

void WatchedSql::Close(summa_sql_session* handle) {
  std::unique_ptr<Session> closed;
  {
    const MutexLock lock(mutex_);
    const auto found = sessions_.find(handle);
    if (found != sessions_.end()) {
      closed = std::move(found->second);
      sessions_.erase(found);
    }
  }
  if (!closed) return Report("closes a session that is not open: twice, or never opened");
  if (closed->in_use) Report("closes a session while another of its threads uses it");
  inner_->close(closed->inside);
}

std::int32_t WatchedSql::Use(summa_sql_session* handle, const char* function, summa_error* error,
                             const Call& call) {
  Session* session = nullptr;
  {
    const MutexLock lock(mutex_);
    const auto found = sessions_.find(handle);
    if (found != sessions_.end()) session = found->second.get();
  }
  if (session == nullptr) {
    Report(std::string("calls ") + function + " of a session that is not open");
    return summa::detail::Fill(error, SUMMA_E_INTERNAL, "SH-0407", "the session is not open");
  }
  if (session->in_use.exchange(true)) {
    Report(std::string("calls ") + function + " of a session that another of its threads uses");
    return summa::detail::Fill(error, SUMMA_E_INTERNAL, "SH-0407", "the session is in use");
  }
  const std::int32_t status = call(session->inside);
  session->in_use = false;
  return status;
}

void WatchedSql::CountStatement(summa_sql_session* handle) {
  const MutexLock lock(mutex_);
  const auto found = sessions_.find(handle);
  if (found != sessions_.end() && found->second->lease != nullptr) {
    found->second->lease->CountStatement();
  }
}

bool WatchedSql::IsFenced(summa_sql_session* handle) {
  const MutexLock lock(mutex_);
  const auto found = sessions_.find(handle);
  if (found == sessions_.end() || found->second->lease == nullptr) return false;
  if (!found->second->lease->lost()) return false;
  found->second->lease->TellThisThread();
  return true;
}

// In a session of the lease, the host refuses the commit; elsewhere nobody does.
void WatchedSql::SeeWrite(summa_sql_session* handle, std::string_view statement) {
  {
    const MutexLock lock(mutex_);
    const auto found = sessions_.find(handle);
    if (found == sessions_.end() || found->second->lease != nullptr) return;
    if (current_lease_ == nullptr || !current_lease_->lost()) return;
    if (!current_lease_->ThisThreadKnows()) return;
  }
  Report(kUnleased + Quoted(statement));
}

void WatchedSql::Keep(const summa_sql_result* result) {
  const MutexLock lock(mutex_);
  results_.insert(result);
}

void WatchedSql::Free(summa_sql_result* result) {
  {
    const MutexLock lock(mutex_);
    if (results_.erase(result) == 0) {
      on_defect_("frees a result that it does not have: twice, or never received");
      return;
    }
  }
  inner_->free_result(result);
}

}  // namespace summa::conformance
