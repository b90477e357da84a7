// Exactly-once effects in the database: a handler that writes there remembers in the same
// transaction which message it handled.
//
//   session.Begin();
//   if (summa::Inbox::First(session, "greeter", message.id)) session.Exec("INSERT ...");
//   session.Commit();   // what was begun before and rolled back left nothing behind
#pragma once

#include <string_view>
#include <summa/sql.hpp>

namespace summa {

class Inbox {
 public:
  // True: the message is new to this consumer (a name of the purpose, the same on every host), and
  // is remembered when the transaction commits. False: its effect stands already. Two transactions
  // with the same message: the second waits for the first, and then knows. Throws as Session::Exec.
  static bool First(Session& session, std::string_view consumer, std::string_view message_id) {
    return session
               .Exec(
                   "INSERT INTO summa_host.inbox (consumer, message_id) VALUES ($1, $2) "
                   "ON CONFLICT DO NOTHING",
                   {consumer, message_id})
               .affected_rows() == 1;
  }
};

}  // namespace summa
