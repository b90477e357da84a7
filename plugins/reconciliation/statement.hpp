// Statements that are the same for both layouts of the event store but for the names of its
// columns.
#pragma once

#include <string>
#include <string_view>
#include <summa/ledger/event_table.hpp>

namespace summa::reconciliation {

// Statements that look at a whole table take longer than the host's limit, which is meant for
// pieces.
inline constexpr const char* kLongStatement = "SET LOCAL statement_timeout = '1h'";

// Puts the names in the place of {events}, {position}, {version}, {hash} and {previous_hash}.
inline std::string ForTable(std::string_view statement, const ledger::EventTable& table) {
  std::string text(statement);
  const auto replace = [&text](std::string_view name, const std::string& value) {
    for (std::size_t at = text.find(name); at != std::string::npos;
         at = text.find(name, at + value.size())) {
      text.replace(at, name.size(), value);
    }
  };
  replace("{events}", table.name);
  replace("{position}", table.position);
  replace("{version}", table.version);
  replace("{hash}", table.hash);
  replace("{previous_hash}", table.previous_hash);
  return text;
}

}  // namespace summa::reconciliation
