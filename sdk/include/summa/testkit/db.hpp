// A connection for assertions. Link Summa::testkit.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;
struct pg_result;

namespace summa::testkit {

// What a NULL looks like in Rows.
inline constexpr char kNull[] = "NULL";

using Row = std::vector<std::string>;
using Rows = std::vector<Row>;

// A statement PostgreSQL refused, or a lost connection (then the SQLSTATE is empty).
class DbError : public std::runtime_error {
 public:
  DbError(const std::string& message, std::string state)
      : std::runtime_error(message), sqlstate(std::move(state)) {}
  // Whether an application repeats the transaction: it lost a race, or waited too long for a lock.
  bool IsRetryable() const {
    return sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "55P03";
  }
  const std::string sqlstate;
};

// One connection for assertions in tests, bare libpq, so that tests do not lean on the code they
// test. Values are texts. Not thread-safe: one per thread. Errors: DbError.
class Db {
 public:
  explicit Db(const std::string& url);
  ~Db();
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  // One statement with text parameters $1, $2 ...
  Rows Query(const std::string& sql, const std::vector<std::string>& parameters = {});
  // First column of the first row; throws when there is no row.
  std::string Value(const std::string& sql, const std::vector<std::string>& parameters = {});
  long long Count(const std::string& sql, const std::vector<std::string>& parameters = {});
  // First column of all rows.
  std::vector<std::string> Column(const std::string& sql,
                                  const std::vector<std::string>& parameters = {});
  // Any number of statements, no result. Without BEGIN they are one transaction.
  void Execute(const std::string& sql);
  // Rows changed by one statement.
  long long Change(const std::string& sql, const std::vector<std::string>& parameters = {});

  int BackendPid() const;
  pg_conn* Handle() const { return connection_; }

 private:
  pg_result* Run(const std::string& sql, const std::vector<std::string>& parameters);
  [[noreturn]] void Throw(pg_result* result, const std::string& sql) const;

  pg_conn* connection_;
};

}  // namespace summa::testkit
