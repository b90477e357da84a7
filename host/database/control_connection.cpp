#include "host/database/control_connection.hpp"

#include <exception>

#include "host/database/open_connection.hpp"

namespace summa::host {
namespace {

using TimePoint = PqConnection::TimePoint;

// Every statement of a script has its own timeout, and a migration waits for locks.
constexpr std::chrono::minutes kLongestScript{10};
constexpr std::chrono::seconds kRollbackTimeout{5};

TimePoint In(Microseconds span) { return std::chrono::steady_clock::now() + span; }

}  // namespace

ControlRows ControlTransaction::Exec(const std::string& sql, const ControlParameters& parameters) {
  connection_.SendText(sql, parameters, In(settings_.statement_timeout + kAnswerMargin));
  return ToTextRows(connection_.ReadAll(sql));
}

void ControlTransaction::ExecScript(const std::string& sql) {
  connection_.Query(sql, In(kLongestScript));
}

struct ControlConnection::State {
  explicit State(const DatabaseSettings& given)
      : settings(given),
        opened(OpenConnection(settings, false, never, PqConnection::OnWake::kGiveUp,
                              ConnectDeadline(settings))),
        connection(*opened.connection) {}

  // What was sent and not answered may have been done.
  void Commit() {
    connection.Alive();
    connection.RequireUsable("COMMIT");
    std::string tag;
    try {
      const PgResult done =
          connection.Query("COMMIT", In(settings.statement_timeout + kAnswerMargin));
      tag = PQcmdStatus(done.get());
    } catch (const SqlFailure& failure) {
      if (!connection.broken() || failure.sqlstate() == kIdleTooLong) throw;
      throw SqlFailure(
          Error{"SH-0404", "the outcome of a COMMIT is unknown: " + failure.error().message,
                "Repeat the command; what is already done stays as it is", ""},
          "");
    }
    if (tag == "COMMIT") return;
    throw SqlFailure(Error{"SH-0405",
                           "the server answered " + tag +
                               " to COMMIT: an earlier statement had failed, nothing was committed",
                           "", ""},
                     "25P02");
  }
  void Rollback() noexcept {
    try {
      if (!connection.broken()) connection.Query("ROLLBACK", In(kRollbackTimeout));
    } catch (const std::exception&) {
      connection.Abandon();  // a transaction may still be open in it
    }
  }

  const DatabaseSettings settings;
  WakeUp never;  // outlives the connection
  OpenedConnection opened;
  PqConnection& connection;
};

ControlConnection::ControlConnection(const DatabaseSettings& settings)
    : state_(std::make_unique<State>(settings)) {}

ControlConnection::~ControlConnection() = default;

bool ControlConnection::broken() const { return state_->connection.broken(); }
bool ControlConnection::usable() { return state_->connection.Alive(); }

std::string ControlConnection::server() const {
  const BackendIdentity& identity = state_->opened.identity;
  return (identity.in_recovery ? "standby " : "primary ") + identity.server_name;
}

void ControlConnection::Run(const std::function<void(ControlTransaction&)>& body) {
  try {
    state_->connection.Query("BEGIN", In(state_->settings.statement_timeout + kAnswerMargin));
    ControlTransaction transaction(state_->connection, state_->settings);
    body(transaction);
    state_->Commit();
  } catch (...) {
    state_->Rollback();
    throw;
  }
}

}  // namespace summa::host
