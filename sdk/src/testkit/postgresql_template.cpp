#include "postgresql_template.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <summa/testkit/postgresql.hpp>
#include <summa/testkit/process.hpp>

#include "server_directory.hpp"

namespace summa::testkit {
namespace {

namespace fs = std::filesystem;

// Part of the directory's name; a new number when the options of initdb change.
constexpr char kLayout[] = "1";
constexpr char kMarker[] = "/summa-template-complete";

// Holds an exclusive lock on a file. The file stays: removing it would break the lock of a waiter.
class FileLock {
 public:
  explicit FileLock(const std::string& path)
      : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (file_ < 0 || flock(file_, LOCK_EX) != 0) {
      throw std::runtime_error("cannot lock " + path + ": " + std::strerror(errno));
    }
  }
  ~FileLock() { close(file_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int file_;
};

std::string ServerVersion() {
  const std::string text = RunOrThrow({PostgreSqlBinaries() + "/postgres", "--version"}).out;
  // "postgres (PostgreSQL) 15.20 (Debian ...)": the third word
  const auto bracket = text.find(") ");
  const auto start = bracket == std::string::npos ? 0 : bracket + 2;
  return text.substr(start, text.find_first_of(" \n", start) - start);
}

bool Usable(const std::string& directory) {
  struct stat status {};
  return lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ServerUser().user_id && fs::exists(directory + kMarker) &&
         fs::exists(directory + "/PG_VERSION") && fs::exists(directory + "/global/pg_control");
}

void MakeTemplate(const std::string& directory) {
  const std::string fresh = directory + ".new";
  fs::remove_all(fresh);
  if (mkdir(fresh.c_str(), 0700) != 0 ||
      chown(fresh.c_str(), ServerUser().user_id, ServerUser().group_id) != 0) {
    throw std::runtime_error("cannot make " + fresh + ": " + std::strerror(errno));
  }
  auto command = ServerUser().prefix;
  command.insert(command.end(),
                 {PostgreSqlBinaries() + "/initdb", "--auth=trust", "--no-sync", "--encoding=UTF8",
                  "--locale=C", "--wal-segsize=1", "--username=postgres", "--pgdata=" + fresh});
  ProcessOptions options;
  options.working_directory = fresh;
  RunOrThrow(command, options);
  std::ofstream(fresh + kMarker) << "made by initdb\n";
  fs::remove_all(directory);
  fs::rename(fresh, directory);
}

PostgreSqlUser FindServerUser() {
  PostgreSqlUser user;
  if (geteuid() != 0) {
    user.user_id = geteuid();
    user.group_id = getegid();
    user.name = std::to_string(user.user_id);
    return user;
  }
  for (const char* name : {"postgres", "nobody"}) {
    const passwd* entry = getpwnam(name);
    if (entry == nullptr) continue;
    user.name = name;
    user.user_id = entry->pw_uid;
    user.group_id = entry->pw_gid;
    user.prefix = {"setpriv",
                   "--reuid=" + std::to_string(user.user_id),
                   "--regid=" + std::to_string(user.group_id),
                   "--clear-groups",
                   "--pdeathsig",
                   "QUIT"};
    return user;
  }
  throw std::runtime_error("PostgreSQL refuses root, and there is no user postgres or nobody");
}

}  // namespace

const PostgreSqlUser& ServerUser() {
  static const PostgreSqlUser user = FindServerUser();
  return user;
}

void CopyTemplateData(const std::string& target) {
  static const std::string directory = ServerRoot() + "/summa-pg-template-" + ServerUser().name +
                                       "-" + ServerVersion() + "-" + kLayout;
  const FileLock lock(directory + ".lock");
  if (!Usable(directory)) MakeTemplate(directory);
  RunOrThrow({"cp", "-a", "--reflink=auto", directory, target});
}

}  // namespace summa::testkit
