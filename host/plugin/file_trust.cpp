#include "host/plugin/file_trust.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "host/find.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;

// Names come from NSS modules, whose buffer needs are unknown; a longer entry is shown as a number.
constexpr std::size_t kNameBufferBytes = 16 * 1024;

// Of a user or a group: find is getpwuid_r or getgrgid_r. Empty: it has none.
template <typename Id, typename Entry>
std::string NameOf(Id id, int (*find)(Id, Entry*, char*, std::size_t, Entry**),
                   char* Entry::*name) {
  std::array<char, kNameBufferBytes> buffer{};
  Entry entry{};
  Entry* found = nullptr;
  if (find(id, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return found->*name;
}

template <typename Id>
std::string Quoted(Id id, const std::string& name) {
  return name.empty() ? std::to_string(id) : "\"" + name + "\"";
}

std::string UserName(uid_t user) {
  return Quoted(user, NameOf(user, getpwuid_r, &passwd::pw_name));
}
std::string GroupName(gid_t group) {
  return Quoted(group, NameOf(group, getgrgid_r, &::group::gr_name));
}

std::string Facts(const struct stat& status) {
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777));
  return std::string("(mode ") + mode.data() + ", owner " + std::to_string(status.st_uid) + ")";
}

// `what` is "" for the file itself, otherwise "its directory /opt/p ". above: a directory above that
// one.
void CheckOne(const std::string& plugin, const std::string& path, const std::string& what,
              bool above, const TrustPolicy& policy, std::vector<Error>& errors) {
  const std::string name =
      fs::path(plugin).filename().string() + " was refused: " + (what.empty() ? "the file " : what);
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    errors.push_back({"SH-0102", name + "cannot be examined", "Check the path", plugin});
    return;
  }
  if (!Contains(policy.owners, status.st_uid) && !(above && status.st_uid == 0)) {
    errors.push_back({"SH-0102",
                      name + "belongs to user " + UserName(status.st_uid) + " " + Facts(status) +
                          "; it must belong to root, to the user that runs the host or to the "
                          "owner of the summa-host program",
                      "chown root " + path, plugin});
  }
  if (above && (status.st_mode & S_ISVTX) != 0) return;
  if ((status.st_mode & S_IWOTH) != 0) {
    errors.push_back({"SH-0102", name + "is writable by every user " + Facts(status),
                      "chmod o-w " + path, plugin});
  }
  if ((status.st_mode & S_IWGRP) != 0 && !Contains(policy.groups, status.st_gid)) {
    errors.push_back(
        {"SH-0102", name + "is writable by group " + GroupName(status.st_gid) + " " + Facts(status),
         "chmod g-w " + path, plugin});
  }
}

std::vector<std::string> DirectoriesAbove(const fs::path& path) {
  std::vector<std::string> directories;
  for (fs::path above = path.parent_path();; above = above.parent_path()) {
    directories.push_back(above.string());
    if (above == above.parent_path()) return directories;
  }
}

}  // namespace

std::string OwnerName(uid_t user) {
  const std::string name = NameOf(user, getpwuid_r, &passwd::pw_name);
  return name.empty() ? std::to_string(user) : name;
}

TrustPolicy CurrentTrust() {
  TrustPolicy policy;
  policy.owners = {0, geteuid()};
  policy.groups = {0, getegid()};
  struct stat executable {};
  if (stat("/proc/self/exe", &executable) == 0) {
    policy.owners.push_back(executable.st_uid);
    if ((executable.st_mode & S_IWGRP) != 0) policy.groups.push_back(executable.st_gid);
  }
  std::error_code failure;
  const fs::path program = fs::read_symlink("/proc/self/exe", failure);
  if (!failure) policy.above_host = DirectoriesAbove(program);
  return policy;
}

std::vector<Error> CheckTrust(const std::string& path, const TrustPolicy& policy) {
  std::vector<Error> errors;
  std::error_code failure;
  const fs::path absolute = fs::absolute(path, failure);
  const fs::path real = fs::canonical(path, failure);
  if (failure) return {{"SH-0102", path + " cannot be examined: " + failure.message(), "", path}};
  CheckOne(path, real.string(), "", false, policy, errors);
  std::vector<fs::path> directories = {real.parent_path()};
  const fs::path link_directory = fs::canonical(absolute.parent_path(), failure);
  if (!failure && link_directory != real.parent_path()) directories.push_back(link_directory);
  std::vector<std::string> checked = policy.above_host;
  for (const fs::path& directory : directories) {
    CheckOne(path, directory.string(), "its directory " + directory.string() + " ", false, policy,
             errors);
    checked.push_back(directory.string());
  }
  for (const fs::path& directory : directories) {
    for (const std::string& above : DirectoriesAbove(directory)) {
      if (Contains(checked, above)) continue;
      CheckOne(path, above, "the directory " + above + " above it ", true, policy, errors);
      checked.push_back(above);
    }
  }
  return errors;
}

}  // namespace summa::host
