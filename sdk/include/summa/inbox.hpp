// Exactly-once effects in the database: a handler that writes there records in the same transaction
// which message it has handled.
//
//   session.Begin();
//   if (summa::Inbox::First(session, "greeter", message.id)) session.Exec("INSERT ...");
//   session.Commit();   // what was begun before and rolled back left nothing behind
//
// Ids are remembered for `host.inbox_retention` (168h), then the host's worker inbox-cleanup deletes
// them: a message that is delivered again after that (a dead letter that is redriven late, a group
// that is set back) is new. Where that must not be, keep the id in a table of the plugin's own, or
// make the effect one that may be repeated.
#pragma once

#include <string_view>
#include <summa/sql.hpp>

namespace summa {

class Inbox {
 public:
  // Returns true when the message is new to this consumer (a name for the purpose, the same on
  // every host); it is recorded when the transaction commits. Returns false when its effect is
  // already committed. When two transactions handle the same message, the second waits for the
  // first. Throws as Session::Exec.
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
