#include "host/database/deadline_connection.hpp"

#include "host/database/backend_identity.hpp"
#include "host/database/connection_settings.hpp"

namespace summa::host {
namespace {

TextRows ToRows(const PgResult& result) {
  TextRows rows(static_cast<std::size_t>(PQntuples(result.get())));
  const int columns = PQnfields(result.get());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const int r = static_cast<int>(row);
    rows[row].reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result.get(), r, column) != 0) {
        rows[row].emplace_back(std::nullopt);
      } else {
        rows[row].emplace_back(PQgetvalue(result.get(), r, column));
      }
    }
  }
  return rows;
}

}  // namespace

struct DeadlineConnection::State {
  State(const DatabaseSettings& settings, WakeUp& stop, TimePoint deadline)
      : connection(MakeConnectionParameters(settings, false), stop, PqConnection::OnWake::kGiveUp,
                   deadline),
        identity(Identify(connection, settings, false, deadline)) {}
  PqConnection connection;
  const BackendIdentity identity;
  std::string sql;  // of Send, for messages
};

DeadlineConnection::DeadlineConnection(const DatabaseSettings& settings, WakeUp& stop,
                                       TimePoint deadline)
    : state_(std::make_unique<State>(settings, stop, deadline)) {}

DeadlineConnection::~DeadlineConnection() = default;

bool DeadlineConnection::usable() { return state_->connection.Alive(); }
int DeadlineConnection::backend_pid() const { return state_->identity.pid; }

void DeadlineConnection::Send(const std::string& sql,
                              const std::vector<std::optional<std::string>>& parameters,
                              TimePoint deadline) {
  PqConnection& connection = state_->connection;
  connection.RequireUsable(sql);
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  state_->sql = sql;
  connection.Start(deadline);
  connection.Sent(PQsendQueryParams(connection.raw(), sql.c_str(), static_cast<int>(values.size()),
                                    nullptr, values.data(), nullptr, nullptr, 0),
                  sql);
}

std::optional<TextRows> DeadlineConnection::Receive(TimePoint patience) {
  if (!state_->connection.AnswersBy(patience, state_->sql)) return std::nullopt;
  return ToRows(state_->connection.ReadAll(state_->sql));
}

TextRows DeadlineConnection::Query(const std::string& sql,
                                   const std::vector<std::optional<std::string>>& parameters,
                                   TimePoint deadline) {
  Send(sql, parameters, deadline);
  return ToRows(state_->connection.ReadAll(sql));
}

}  // namespace summa::host
