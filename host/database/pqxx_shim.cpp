#include "host/database/pqxx_shim.hpp"

#include <pqxx/pqxx>

#include "host/database/connection_settings.hpp"
#include "host/database/pooler.hpp"
#include "host/database/sql_error.hpp"

#ifndef PQXX_VERSION_MAJOR
#error "libpqxx without version macros"
#endif

namespace summa::host {
namespace {

pqxx::result ExecParameters(pqxx::transaction_base& transaction, const std::string& sql,
                            const ControlParameters& parameters) {
#if PQXX_VERSION_MAJOR < 7
  std::vector<const char*> values;
  for (const auto& value : parameters) values.push_back(value ? value->c_str() : nullptr);
  return transaction.exec_params(sql, pqxx::prepare::make_dynamic_params(values));
#else
  pqxx::params values;
  for (const auto& value : parameters) {
    if (value) {
      values.append(std::string_view(*value));
    } else {
      values.append();
    }
  }
  return transaction.exec(pqxx::zview(sql), values);
#endif
}

// Version 6 would reconnect silently at the third use after a loss, without locks and settings.
void ForbidReconnecting([[maybe_unused]] pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR < 7
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
}

// As Identify does for the other driver.
void CheckPooler(pqxx::connection& connection, const DatabaseSettings& settings) {
  pqxx::nontransaction look(connection);
  const int pid = look.exec("SELECT pg_catalog.pg_backend_pid()")[0][0].as<int>();
  if (!BehindPooler(connection.backendpid(), pid)) return;
  RequireSessionPooling(settings);
  look.exec(SettingsStatement(SessionSettings(settings, false)));
}

SqlFailure FromSqlstate(const char* sqlstate, const std::exception& error) {
  return MakeSqlFailure({sqlstate, OneLine(error.what()), ""}, "");
}

class Transaction final : public ControlTransaction {
 public:
  explicit Transaction(pqxx::transaction_base& transaction) : transaction_(transaction) {}

  ControlRows Exec(const std::string& sql, const ControlParameters& parameters) override {
    const pqxx::result result = ExecParameters(transaction_, sql, parameters);
    ControlRows rows;
    for (const auto& row : result) {
      std::vector<std::optional<std::string>> cells;
      for (const auto& field : row) {
        cells.push_back(field.is_null() ? std::nullopt : std::optional<std::string>(field.c_str()));
      }
      rows.push_back(std::move(cells));
    }
    return rows;
  }
  void ExecScript(const std::string& sql) override { transaction_.exec(sql); }

 private:
  pqxx::transaction_base& transaction_;
};

}  // namespace

struct ControlConnection::State {
  std::unique_ptr<pqxx::connection> connection;
  bool broken = false;
};

ControlConnection::ControlConnection(const DatabaseSettings& settings)
    : state_(std::make_unique<State>()) {
  const ConnectionParameters parameters = MakeConnectionParameters(settings, false);
  try {
    state_->connection = std::make_unique<pqxx::connection>(ToConnectionString(parameters));
    ForbidReconnecting(*state_->connection);
    CheckPooler(*state_->connection, settings);
  } catch (const SqlFailure&) {
    throw;
  } catch (const std::exception& error) {
    throw ConnectionRefused(OneLine(error.what()), parameters);
  }
}

ControlConnection::~ControlConnection() = default;

bool ControlConnection::broken() const { return state_->broken; }

// Order matters: in version 6 the rollback family and in_doubt_error are no sql_error.
void ControlConnection::Run(const std::function<void(ControlTransaction&)>& body) {
  try {
    pqxx::work work(*state_->connection);
    Transaction transaction(work);
    body(transaction);
    work.commit();
  } catch (const pqxx::in_doubt_error& error) {
    state_->broken = true;
    throw SqlFailure(
        Error{"SH-0404", "the outcome of a COMMIT is unknown: " + OneLine(error.what()),
              "Repeat the command; what is done already stays as it is", ""},
        "");
  } catch (const pqxx::broken_connection& error) {
    state_->broken = true;
    throw ConnectionLost(OneLine(error.what()), "");
  } catch (const pqxx::deadlock_detected& error) {
    throw FromSqlstate("40P01", error);
  } catch (const pqxx::transaction_rollback& error) {
    throw FromSqlstate("40001", error);
  } catch (const pqxx::sql_error& error) {
    const std::string& state = error.sqlstate();
    throw MakeSqlFailure({state, OneLine(error.what()), ""}, error.query());
  } catch (const pqxx::failure& error) {
    state_->broken = true;  // nothing of ours expects it: start again with a new connection
    throw ConnectionLost(OneLine(error.what()), "");
  }
}

}  // namespace summa::host
