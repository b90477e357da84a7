#include "host/database/deadline_connection.hpp"

#include "host/database/pq_connection.hpp"

namespace summa::host {

struct DeadlineConnection::State {
  State(const DatabaseSettings& settings, WakeUp& stop, TimePoint deadline)
      : connection(MakeConnectionParameters(settings, false), stop, PqConnection::OnWake::kGiveUp,
                   deadline) {}
  PqConnection connection;
};

DeadlineConnection::DeadlineConnection(const DatabaseSettings& settings, WakeUp& stop,
                                       TimePoint deadline)
    : state_(std::make_unique<State>(settings, stop, deadline)) {}

DeadlineConnection::~DeadlineConnection() = default;

bool DeadlineConnection::usable() { return state_->connection.Alive(); }

TextRows DeadlineConnection::Query(const std::string& sql,
                                   const std::vector<std::optional<std::string>>& parameters,
                                   TimePoint deadline) {
  PqConnection& connection = state_->connection;
  connection.RequireUsable(sql);
  std::vector<const char*> values;
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  connection.Start(deadline);
  const PgResult result = connection.Finish(
      PQsendQueryParams(connection.raw(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0),
      sql);
  TextRows rows(static_cast<std::size_t>(PQntuples(result.get())));
  const int columns = PQnfields(result.get());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const int r = static_cast<int>(row);
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

}  // namespace summa::host
