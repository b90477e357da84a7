#pragma once

#include <string>
#include <vector>

namespace summa::testkit {

// Who the server runs as, and how to become that user.
struct PostgreSqlUser {
  std::string name;
  unsigned user_id = 0;
  unsigned group_id = 0;
  // Words to put before a command: setpriv as root, nothing otherwise. The command gets SIGQUIT
  // when this process dies (setpriv sets that after the change of user, which clears it).
  std::vector<std::string> prefix;
};
const PostgreSqlUser& ServerUser();

// Copies a fresh data directory to `target` (which must not exist). initdb takes half a second, a
// copy a tenth, so the result of one initdb per user and version is kept in ServerRoot(), made under
// a lock file, checked before use.
void CopyTemplateData(const std::string& target);

}  // namespace summa::testkit
