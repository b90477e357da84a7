// summa.sql/1 without a server: answers what the test has written down, keeps every statement, and
// loses the lease where the test says so. For the logic around statements; the statements themselves
// need a real server (<summa/testkit/postgresql.hpp>).
//
//   summa::testkit::ScriptedSql sql;
//   sql.Answer("SELECT status", summa::testkit::ScriptedRows({"status"}).Add({"active"}));
//   summa::testkit::FakeHost host(sql.table());
#pragma once

#include <summa/abi/sql.h>
#include <summa/error.hpp>
#include <summa/mutex.hpp>
#include <summa/sql.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa::testkit {

// A result that a test writes down. The type of a column is that of its first value: text, bigint
// (std::int64_t), integer (std::int32_t) or boolean; nullptr is NULL. Types() says it for columns
// without a value.
class ScriptedRows {
 public:
  // Statements that return nothing: how many rows they have changed.
  explicit ScriptedRows(std::int64_t affected_rows = 0) : affected_rows_(affected_rows) {}
  ScriptedRows(std::initializer_list<std::string> columns) {
    for (const std::string& name : columns) columns_.push_back({name, 0});
  }
  // One of summa/sql_value.hpp for each column: Types({kOidUuid, kOidInt8}).
  ScriptedRows& Types(std::initializer_list<std::uint32_t> types) {
    std::size_t column = 0;
    for (const std::uint32_t type : types) columns_.at(column++).type = type;
    return *this;
  }
  ScriptedRows& Add(std::initializer_list<Parameter> values) {
    std::vector<std::optional<std::string>>& row = rows_.emplace_back();
    for (const Parameter& value : values) {
      const summa_sql_parameter abi = value.Abi();
      if (abi.data == nullptr) {
        row.emplace_back();
        continue;
      }
      std::uint32_t& type = columns_.at(row.size()).type;
      if (type == 0) type = abi.type == 0 ? kOidText : abi.type;
      row.emplace_back(std::string(abi.data, abi.size));
    }
    row.resize(columns_.size());
    affected_rows_ = static_cast<std::int64_t>(rows_.size());
    return *this;
  }

 private:
  friend class ScriptedSql;
  struct Description {
    std::string name;
    std::uint32_t type;
  };
  std::vector<Description> columns_;
  std::vector<std::vector<std::optional<std::string>>> rows_;
  std::int64_t affected_rows_ = 0;
};

// Must outlive the code under test. Thread-safe.
class ScriptedSql {
 public:
  struct Statement {
    std::string text;                     // or "BEGIN", "COMMIT", "ROLLBACK"
    std::vector<std::string> parameters;  // numbers in decimal, NULL as "NULL"
  };

  ScriptedSql() {
    table_.struct_size = sizeof table_;
    table_.self = this;
    SetSessionFunctions();
    SetResultFunctions();
  }
  ScriptedSql(const ScriptedSql&) = delete;
  ScriptedSql& operator=(const ScriptedSql&) = delete;

  const summa_sql_v1* table() const { return &table_; }

  // The answer to each statement that contains `part`; the rule that was added last wins. Without a
  // rule a statement succeeds, with no rows.
  void Answer(std::string part, ScriptedRows rows) {
    const MutexLock lock(mutex_);
    rules_.push_back({std::move(part), std::move(rows), std::nullopt});
  }
  // The failure of each statement that contains `part`; also of "BEGIN" and "COMMIT".
  void Fail(std::string part, Error error) {
    const MutexLock lock(mutex_);
    rules_.push_back({std::move(part), ScriptedRows(), std::move(error)});
  }
  // The lease is lost when a statement that contains `part` has run: the commit is refused.
  void LoseLeaseAt(std::string part) {
    const MutexLock lock(mutex_);
    loses_lease_at_ = std::move(part);
  }

  std::vector<Statement> Statements() const {
    const MutexLock lock(mutex_);
    return statements_;
  }
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const Statement& statement : Statements()) texts.push_back(statement.text);
    return texts;
  }
  std::size_t Commits() const {
    const MutexLock lock(mutex_);
    return commits_;
  }
  std::size_t OpenSessions() const {
    const MutexLock lock(mutex_);
    return open_sessions_;
  }

 private:
  struct Rule {
    std::string part;
    ScriptedRows rows;
    std::optional<Error> error;
  };
  struct Session {
    ScriptedSql* owner;
    bool in_transaction;
  };

  static Session& Of(summa_sql_session* session) { return *reinterpret_cast<Session*>(session); }
  static const ScriptedRows& Of(const summa_sql_result* result) {
    return *reinterpret_cast<const ScriptedRows*>(result);
  }

  void SetSessionFunctions() {
    table_.open = [](void* self, summa_str, summa_sql_session** out, summa_error*) -> std::int32_t {
      auto* sql = static_cast<ScriptedSql*>(self);
      const MutexLock lock(sql->mutex_);
      ++sql->open_sessions_;
      *out = reinterpret_cast<summa_sql_session*>(new Session{sql, false});
      return SUMMA_OK;
    };
    table_.close = [](summa_sql_session* session) {
      if (session == nullptr) return;
      ScriptedSql* sql = Of(session).owner;
      const MutexLock lock(sql->mutex_);
      if (Of(session).in_transaction) sql->statements_.push_back({"ROLLBACK", {}});
      --sql->open_sessions_;
      delete &Of(session);
    };
    table_.begin = [](summa_sql_session* session, std::uint32_t, summa_error* error) {
      return Of(session).owner->Begin(Of(session), error);
    };
    table_.commit = [](summa_sql_session* session, summa_error* error) {
      return Of(session).owner->Commit(Of(session), error);
    };
    table_.rollback = [](summa_sql_session* session, summa_error* error) {
      Of(session).in_transaction = false;
      return Of(session).owner->Run({"ROLLBACK", {}}, nullptr, error);
    };
    table_.exec = [](summa_sql_session* session, summa_str sql,
                     const summa_sql_parameter* parameters, std::size_t count, std::int32_t,
                     summa_sql_result** out, summa_error* error) {
      return Of(session).owner->Exec(Of(session), {std::string(FromAbi(sql)), {}}, parameters,
                                     count, out, error);
    };
    table_.exec_autocommit = [](summa_sql_session* session, summa_str sql, summa_error* error) {
      return Of(session).owner->Run({std::string(FromAbi(sql)), {}}, nullptr, error);
    };
    table_.copy_out = [](summa_sql_session* session, summa_str sql,
                         std::int32_t (*)(void*, const char*, std::size_t), void*,
                         summa_error* error) {
      return Of(session).owner->Run({std::string(FromAbi(sql)), {}}, nullptr, error);
    };
    table_.copy_in = [](summa_sql_session* session, summa_str sql,
                        std::int32_t (*)(void*, const char**, std::size_t*), void*,
                        summa_error* error) {
      return Of(session).owner->Run({std::string(FromAbi(sql)), {}}, nullptr, error);
    };
  }

  void SetResultFunctions() {
    table_.row_count = [](const summa_sql_result* result) { return Of(result).rows_.size(); };
    table_.column_count = [](const summa_sql_result* result) { return Of(result).columns_.size(); };
    table_.affected_rows = [](const summa_sql_result* result) { return Of(result).affected_rows_; };
    table_.cell = [](const summa_sql_result* result, std::size_t row, std::size_t column,
                     summa_str* value) -> std::int32_t {
      const std::optional<std::string>& cell = Of(result).rows_.at(row).at(column);
      if (cell) *value = ToAbi(*cell);
      return cell ? 1 : 0;
    };
    table_.column_name = [](const summa_sql_result* result, std::size_t column) {
      return ToAbi(Of(result).columns_.at(column).name);
    };
    table_.column_type = [](const summa_sql_result* result, std::size_t column) {
      const std::uint32_t type = Of(result).columns_.at(column).type;
      return type == 0 ? std::uint32_t{kOidText} : type;
    };
    table_.result_format = [](const summa_sql_result*) -> std::int32_t { return 1; };
    table_.free_result = [](summa_sql_result* result) {
      delete reinterpret_cast<const ScriptedRows*>(result);
    };
  }

  std::int32_t Begin(Session& session, summa_error* error) {
    if (session.in_transaction) {
      return detail::Fill(error, SUMMA_E_INTERNAL, "SH-0408", "a transaction is open already");
    }
    const std::int32_t status = Run({"BEGIN", {}}, nullptr, error);
    session.in_transaction = status == SUMMA_OK;
    return status;
  }

  std::int32_t Commit(Session& session, summa_error* error) {
    {
      const MutexLock lock(mutex_);
      if (lease_lost_) {
        session.in_transaction = false;
        statements_.push_back({"ROLLBACK", {}});
        return detail::Fill(error, SUMMA_E_FENCED, "SH-0301", "the lease was lost in this test");
      }
    }
    const std::int32_t status = Run({"COMMIT", {}}, nullptr, error);
    session.in_transaction = false;
    const MutexLock lock(mutex_);
    if (status == SUMMA_OK) ++commits_;
    return status;
  }

  std::int32_t Exec(const Session& session, Statement statement,
                    const summa_sql_parameter* parameters, std::size_t count,
                    summa_sql_result** out, summa_error* error) {
    for (std::size_t i = 0; i < count; ++i) statement.parameters.push_back(Shown(parameters[i]));
    if (!session.in_transaction && Writes(statement.text)) {
      return detail::Guard(error, [&]() -> std::int32_t {
        throw Error(SUMMA_E_INTERNAL, "SH-0405",
                    "cannot execute this statement in a read-only transaction: " + statement.text,
                    "Begin() first", "25006");
      });
    }
    return Run(std::move(statement), out, error);
  }

  std::int32_t Run(Statement statement, summa_sql_result** out, summa_error* error) {
    const MutexLock lock(mutex_);
    statements_.push_back(statement);
    if (loses_lease_at_ && statement.text.find(*loses_lease_at_) != std::string::npos) {
      lease_lost_ = true;
    }
    const auto rule = std::find_if(rules_.rbegin(), rules_.rend(), [&](const Rule& each) {
      return statement.text.find(each.part) != std::string::npos;
    });
    if (rule != rules_.rend() && rule->error) {
      const Error& failure = *rule->error;
      return detail::Guard(error, [&]() -> std::int32_t { throw failure; });
    }
    if (out != nullptr) {
      *out = reinterpret_cast<summa_sql_result*>(
          new ScriptedRows(rule == rules_.rend() ? ScriptedRows() : rule->rows));
    }
    return SUMMA_OK;
  }

  static bool Writes(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \n\t");
    const std::string_view word = begin == std::string_view::npos ? "" : text.substr(begin);
    return word.starts_with("INSERT") || word.starts_with("UPDATE") || word.starts_with("DELETE") ||
           word.starts_with("MERGE") || word.starts_with("TRUNCATE");
  }

  static std::string Shown(const summa_sql_parameter& parameter) {
    if (parameter.data == nullptr) return "NULL";
    if (parameter.format == 0) return {parameter.data, parameter.size};
    const bool number = parameter.type == kOidInt8 || parameter.type == kOidInt4;
    if (parameter.type == kOidFloat8) {
      double value = 0;
      SqlType<double>::Read({parameter.data, parameter.size}, value);
      std::string text = std::to_string(value);
      text.erase(text.find_last_not_of('0') + 1);
      return text;
    }
    if (parameter.type == kOidBool) return parameter.data[0] != 0 ? "true" : "false";
    if (!number) return "(" + std::to_string(parameter.size) + " bytes)";
    std::uint64_t value = (static_cast<unsigned char>(parameter.data[0]) & 0x80U) != 0 ? ~0ULL : 0;
    for (std::size_t i = 0; i < parameter.size; ++i) {
      value = value << 8U | static_cast<unsigned char>(parameter.data[i]);
    }
    return std::to_string(static_cast<std::int64_t>(value));
  }

  summa_sql_v1 table_{};
  mutable Mutex mutex_;
  std::vector<Rule> rules_ SUMMA_GUARDED_BY(mutex_);
  std::vector<Statement> statements_ SUMMA_GUARDED_BY(mutex_);
  std::optional<std::string> loses_lease_at_ SUMMA_GUARDED_BY(mutex_);
  bool lease_lost_ SUMMA_GUARDED_BY(mutex_) = false;
  std::size_t commits_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::size_t open_sessions_ SUMMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace summa::testkit
