#include "host/database/deadline_connection.hpp"

#include "host/database/open_connection.hpp"

namespace summa::host {
struct DeadlineConnection::State {
  State(const DatabaseSettings& settings, WakeUp& stop, TimePoint deadline)
      : opened(OpenConnection(settings, false, stop, PqConnection::OnWake::kGiveUp, deadline)),
        connection(*opened.connection) {}
  OpenedConnection opened;
  PqConnection& connection;
  std::string sql;  // of Send, for messages
};

DeadlineConnection::DeadlineConnection(const DatabaseSettings& settings, WakeUp& stop,
                                       TimePoint deadline)
    : state_(std::make_unique<State>(settings, stop, deadline)) {}

DeadlineConnection::~DeadlineConnection() = default;

bool DeadlineConnection::usable() { return state_->connection.Alive(); }
int DeadlineConnection::backend_pid() const { return state_->opened.identity.pid; }

void DeadlineConnection::Send(const std::string& sql, const TextParameters& parameters,
                              TimePoint deadline) {
  state_->connection.SendText(sql, parameters, deadline);
  state_->sql = sql;
}

std::optional<TextRows> DeadlineConnection::Receive(TimePoint timeout) {
  if (!state_->connection.AnswersBy(timeout, state_->sql)) return std::nullopt;
  return ToTextRows(state_->connection.ReadAll(state_->sql));
}

TextRows DeadlineConnection::Query(const std::string& sql, const TextParameters& parameters,
                                   TimePoint deadline) {
  Send(sql, parameters, deadline);
  return ToTextRows(state_->connection.ReadAll(sql));
}

}  // namespace summa::host
