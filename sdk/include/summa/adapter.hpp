// Rows of models by find, create, update and delete, without SQL: the adapter of Summa's plan.
// SqlAdapter is the one over the sessions of the host; <summa/cqrs.hpp> routes between two.
//
//   summa::SqlAdapter ledger(sql, "ledger");
//   const auto account = ledger.FindOne({.model = "account_balance", .where = {{"id", id}}});
#pragma once

#include <summa/error.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace summa {

// Texts by column, as PostgreSQL writes them in JSON; nullopt: NULL.
using Record = std::map<std::string, std::optional<std::string>>;

enum class Comparison { kEqual, kNotEqual, kLess, kAtMost, kGreater, kAtLeast };

// All conditions of a query must hold. A missing value: the column is NULL (kEqual), or it is not.
struct Condition {
  std::string field;
  std::optional<std::string> value;
  Comparison comparison = Comparison::kEqual;
};

struct SortBy {
  std::string field;
  bool descending = false;
};

struct Query {
  std::string model;
  std::vector<Condition> where = {};
  std::vector<std::string> select = {};  // none: all columns
  std::vector<SortBy> sort_by = {};
  std::optional<std::int64_t> limit = std::nullopt;
  std::int64_t offset = 0;
};

// Methods throw summa::Error.
class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual std::vector<Record> FindMany(const Query& query) = 0;
  std::optional<Record> FindOne(Query query) {
    query.limit = 1;
    std::vector<Record> found = FindMany(query);
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  }
  // The row as it is then.
  virtual Record Create(const std::string& model, const Record& row) = 0;
  // Both return the number of rows. SH-0144 without a condition: all rows would be changed.
  virtual std::int64_t Update(const std::string& model, const std::vector<Condition>& where,
                              const Record& changes) = 0;
  virtual std::int64_t Delete(const std::string& model, const std::vector<Condition>& where) = 0;
  // What `body` does with the adapter that it is given is committed together, or not at all when it
  // throws.
  virtual void Transaction(const std::function<void(Adapter&)>& body) = 0;
};

namespace detail {

// One statement with its parameters.
class AdapterStatement {
 public:
  explicit AdapterStatement(std::string text) : text_(std::move(text)) {}

  AdapterStatement& Add(std::string_view text) {
    text_ += text;
    return *this;
  }
  AdapterStatement& Value(const std::optional<std::string>& value) {
    parameters_.push_back(value ? Parameter(*value) : Parameter(nullptr));
    text_ += "$" + std::to_string(parameters_.size());
    return *this;
  }
  AdapterStatement& Where(const std::vector<Condition>& where) {
    const char* word = " WHERE ";
    for (const Condition& condition : where) {
      text_ += std::exchange(word, " AND ") + Quoted(condition.field);
      if (condition.value) {
        text_ += Operator(condition.comparison);
        Value(condition.value);
      } else {
        text_ += condition.comparison == Comparison::kEqual ? " IS NULL" : " IS NOT NULL";
      }
    }
    return *this;
  }
  Result Exec(Session& session) const { return session.Exec(text_, parameters_); }

  // As a name, whatever is in it.
  static std::string Quoted(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
    return quoted + "\"";
  }

 private:
  static const char* Operator(Comparison comparison) {
    switch (comparison) {
      case Comparison::kEqual:
        return " = ";
      case Comparison::kNotEqual:
        return " <> ";
      case Comparison::kLess:
        return " < ";
      case Comparison::kAtMost:
        return " <= ";
      case Comparison::kGreater:
        return " > ";
      case Comparison::kAtLeast:
        return " >= ";
    }
    return " = ";
  }

  std::string text_;
  std::vector<Parameter> parameters_;
};

}  // namespace detail

// Over one database of the host. One thread. Within Transaction(), on its one session; otherwise
// each call takes one, and each change is a transaction.
class SqlAdapter final : public Adapter {
 public:
  // tables: of models whose table has another name, "account_balance" -> {"summa_read",
  // "account_balance_view"}.
  using Tables = std::map<std::string, std::pair<std::string, std::string>>;
  SqlAdapter(const summa_sql_v1* sql, std::string database, Tables tables = {})
      : sql_(sql), database_(std::move(database)), tables_(std::move(tables)) {}

  std::vector<Record> FindMany(const Query& query) override {
    detail::AdapterStatement statement(
        "SELECT n, e.key, e.value FROM (SELECT row_number() OVER () AS "
        "n, to_jsonb(m) AS columns FROM (SELECT ");
    const char* comma = "";
    for (const std::string& field : query.select) {
      statement.Add(std::exchange(comma, ", ")).Add(Quoted(field));
    }
    if (query.select.empty()) statement.Add("*");
    statement.Add(" FROM ").Add(Table(query.model)).Where(query.where);
    const char* word = " ORDER BY ";
    for (const SortBy& sort : query.sort_by) {
      statement.Add(std::exchange(word, ", ")).Add(Quoted(sort.field));
      if (sort.descending) statement.Add(" DESC");
    }
    if (query.limit) statement.Add(" LIMIT " + std::to_string(*query.limit));
    if (query.offset != 0) statement.Add(" OFFSET " + std::to_string(query.offset));
    statement.Add(") m) r, jsonb_each_text(columns) e ORDER BY n");
    return InSession([&](Session& session) { return Records(statement.Exec(session)); });
  }

  Record Create(const std::string& model, const Record& row) override {
    detail::AdapterStatement statement("WITH made AS (INSERT INTO " + Table(model) + " (");
    const char* comma = "";
    for (const auto& [field, value] : row) {
      statement.Add(std::exchange(comma, ", ")).Add(Quoted(field));
    }
    statement.Add(") VALUES (");
    comma = "";
    for (const auto& [field, value] : row) statement.Add(std::exchange(comma, ", ")).Value(value);
    statement.Add(
        ") RETURNING *) SELECT 1::bigint AS n, e.key, e.value FROM made, "
        "jsonb_each_text(to_jsonb(made)) e");
    return Changed([&](Session& session) { return Records(statement.Exec(session)).at(0); });
  }

  std::int64_t Update(const std::string& model, const std::vector<Condition>& where,
                      const Record& changes) override {
    RequireCondition(model, where);
    detail::AdapterStatement statement("UPDATE " + Table(model) + " SET ");
    const char* comma = "";
    for (const auto& [field, value] : changes) {
      statement.Add(std::exchange(comma, ", ")).Add(Quoted(field)).Add(" = ").Value(value);
    }
    statement.Where(where);
    return Changed([&](Session& session) { return statement.Exec(session).affected_rows(); });
  }

  std::int64_t Delete(const std::string& model, const std::vector<Condition>& where) override {
    RequireCondition(model, where);
    detail::AdapterStatement statement("DELETE FROM " + Table(model));
    statement.Where(where);
    return Changed([&](Session& session) { return statement.Exec(session).affected_rows(); });
  }

  void Transaction(const std::function<void(Adapter&)>& body) override {
    if (session_ != nullptr) return body(*this);  // it is part of the one that is open
    Session session(sql_, database_);
    session.Begin();
    SqlAdapter inner(sql_, database_, tables_);
    inner.session_ = &session;
    body(inner);  // the session rolls back what is open when it ends
    session.Commit();
  }

 private:
  static std::string Quoted(std::string_view name) {
    return detail::AdapterStatement::Quoted(name);
  }
  std::string Table(const std::string& model) const {
    const auto found = tables_.find(model);
    if (found == tables_.end()) return Quoted(model);
    return Quoted(found->second.first) + "." + Quoted(found->second.second);
  }
  static void RequireCondition(const std::string& model, const std::vector<Condition>& where) {
    if (!where.empty()) return;
    throw Error(SUMMA_E_USAGE, "SH-0144", "no condition says which rows of " + model + " are meant",
                "Name a column and its value");
  }
  static std::vector<Record> Records(const Result& result) {
    std::vector<Record> records;
    std::int64_t last = 0;
    for (const Row row : result) {
      const std::int64_t number = row.Get<std::int64_t>("n");
      if (records.empty() || number != last) records.emplace_back();
      last = number;
      records.back()[row.Get<std::string>("key")] = row.Get<std::optional<std::string>>("value");
    }
    return records;
  }
  template <typename Function>
  std::invoke_result_t<const Function&, Session&> InSession(const Function& function) {
    if (session_ != nullptr) return function(*session_);
    Session session(sql_, database_);
    return function(session);
  }
  template <typename Function>
  std::invoke_result_t<const Function&, Session&> Changed(const Function& function) {
    if (session_ != nullptr) return function(*session_);
    Session session(sql_, database_);
    session.Begin();
    auto result = function(session);
    session.Commit();
    return result;
  }

  const summa_sql_v1* sql_;
  const std::string database_;
  const Tables tables_;
  Session* session_ = nullptr;  // of the transaction that this is for
};

}  // namespace summa
