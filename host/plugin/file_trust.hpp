// Who may have written a plugin file. Code that is loaded runs with every right of the host, so
// nobody may be able to put it there who could not replace the host itself.
//
// The rule, for the file and for the directory it stands in (both after symbolic links, and the
// directory of the link as well):
//   - the owner is root, the user the host runs as, or the owner of the host's executable;
//   - others may not write;
//   - the group may write only when it is root's group, the host's own group, or the group of the
//     host's executable where that group may write the executable too.
// The same holds for every directory above, since whoever may write there can put another one in
// its place; not for a directory with the sticky bit (/tmp), whose entries belong to their owners,
// nor for those above the executable.
// Pure but for the file system; thread-safe.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "host/error.hpp"

namespace summa::host {

struct TrustPolicy {
  std::vector<uid_t> owners;
  std::vector<gid_t> groups;
  // Whoever may write there could replace the host itself.
  std::vector<std::string> above_host = {};
};

// For this process: by its effective user and group and by its executable.
TrustPolicy CurrentTrust();

// Everything that makes `path` untrustworthy (SH-0102), each with the command that mends it. `path`
// exists.
std::vector<Error> CheckTrust(const std::string& path, const TrustPolicy& policy);

// The name of a user, else the number.
std::string OwnerName(uid_t user);

}  // namespace summa::host
