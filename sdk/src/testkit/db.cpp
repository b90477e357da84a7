#include <summa/testkit/db.hpp>

#include <libpq-fe.h>

#include <memory>

namespace summa::testkit {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

// Enough to recognise the statement in an error text.
constexpr std::size_t kShownSqlBytes = 400;

}  // namespace

Db::Db(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  if (PQstatus(connection_) == CONNECTION_OK) return;
  const std::string message = PQerrorMessage(connection_);
  PQfinish(connection_);
  throw DbError("cannot connect to " + url + ": " + message, "");
}

Db::~Db() { PQfinish(connection_); }

void Db::Throw(pg_result* result, const std::string& sql) const {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string message = PQerrorMessage(connection_);
  throw DbError(message + "in: " + sql.substr(0, kShownSqlBytes), state != nullptr ? state : "");
}

pg_result* Db::Run(const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) values.push_back(parameter.c_str());
  Result result(PQexecParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                             values.data(), nullptr, nullptr, 0));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) Throw(result.get(), sql);
  return result.release();
}

Rows Db::Query(const std::string& sql, const std::vector<std::string>& parameters) {
  const Result result(Run(sql, parameters));
  Rows rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    auto& cells = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      cells.emplace_back(
          PQgetisnull(result.get(), row, column) ? kNull : PQgetvalue(result.get(), row, column));
    }
  }
  return rows;
}

std::string Db::Value(const std::string& sql, const std::vector<std::string>& parameters) {
  const auto rows = Query(sql, parameters);
  if (rows.empty() || rows[0].empty()) throw DbError("no row from: " + sql, "");
  return rows[0][0];
}

long long Db::Count(const std::string& sql, const std::vector<std::string>& parameters) {
  return std::stoll(Value(sql, parameters));
}

std::vector<std::string> Db::Column(const std::string& sql,
                                    const std::vector<std::string>& parameters) {
  std::vector<std::string> values;
  for (auto& row : Query(sql, parameters)) values.push_back(std::move(row.at(0)));
  return values;
}

void Db::Execute(const std::string& sql) {
  const Result result(PQexec(connection_, sql.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    Throw(result.get(), sql);
  }
}

long long Db::Change(const std::string& sql, const std::vector<std::string>& parameters) {
  const Result result(Run(sql, parameters));
  const std::string changed = PQcmdTuples(result.get());
  return changed.empty() ? 0 : std::stoll(changed);
}

int Db::BackendPid() const { return PQbackendPID(connection_); }

}  // namespace summa::testkit
