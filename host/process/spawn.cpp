#include "host/process/spawn.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "host/error.hpp"

namespace summa::host {
namespace {

[[noreturn]] void CannotStart(const std::string& what, int error) {
  throw Failure("SH-0361",
                "the process of the plugin could not be started: " + what + ": " +
                    std::generic_category().message(error),
                "Check the limits of processes and memory of the machine; the host tries again by "
                "itself");
}

// What posix_spawn() is told, and its end.
class SpawnPlan {
 public:
  explicit SpawnPlan(int link) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_adddup2(&actions_, link, kLinkDescriptor);
    posix_spawn_file_actions_addclosefrom_np(&actions_, kLinkDescriptor + 1);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    // A terminal sends its signals to the group of the host, which tells the process what to do.
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int Spawn(pid_t& process, char* const* arguments) const {
    return posix_spawn(&process, "/proc/self/exe", &actions_, &attributes_, arguments, environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

void Limit(int resource, rlim_t most) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return;
  limit.rlim_max = std::min(limit.rlim_max, most);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
}

}  // namespace

pid_t SpawnSelf(const std::vector<std::string>& arguments, int link) {
  std::vector<std::string> words = {"summa-host"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t process = 0;
  if (const int error = SpawnPlan(link).Spawn(process, pointers.data()); error != 0) {
    CannotStart("posix_spawn", error);
  }
  return process;
}

int ProcessDescriptor(pid_t process) {
  const long descriptor = syscall(SYS_pidfd_open, process, 0);
  return static_cast<int>(descriptor);
}

bool PrepareProcess() {
  struct stat status {};
  if (fstat(kLinkDescriptor, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  // What the plugin starts does not keep the link open.
  fcntl(kLinkDescriptor, F_SETFD, FD_CLOEXEC);
  // A host that is killed takes its processes with it: what they do belongs to it, and its
  // successor starts them again. One that has ended before is noticed by the link.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It is in the background of every terminal, and logs there all the same.
  std::signal(SIGTTOU, SIG_IGN);
  return true;
}

void LimitProcess(int open_files, std::int64_t memory_bytes) {
  if (open_files > 0) Limit(RLIMIT_NOFILE, static_cast<rlim_t>(open_files));
#ifndef SUMMA_SANITIZED
  // Stacks of threads count in full, although they are hardly used; a sanitizer maps terabytes.
  constexpr rlim_t kStacks = rlim_t{1} << 30;
  if (memory_bytes > 0) Limit(RLIMIT_DATA, 2 * static_cast<rlim_t>(memory_bytes) + kStacks);
#else
  static_cast<void>(memory_bytes);
#endif
}

}  // namespace summa::host
