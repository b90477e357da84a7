#include "server_directory.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <stdexcept>
#include <summa/testkit/process.hpp>
#include <summa/testkit/wait_until.hpp>
#include <system_error>
#include <vector>

namespace summa::testkit {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "st.";
constexpr std::size_t kLogTailBytes = 4000;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Whether the maker of the directory is known and dead. Anything unclear is left alone.
bool OwnerIsDead(const std::string& directory) {
  struct stat status {};
  const std::string owner_path = directory + "/owner";
  if (lstat(owner_path.c_str(), &status) != 0 || status.st_uid != geteuid()) return false;
  std::ifstream file(owner_path);
  pid_t pid = 0;
  std::string start_time;
  if (!(file >> pid >> start_time)) return false;
  return StartTimeOf(pid) != start_time;
}

// Ends the processes whose command line names the directory: only servers started in it do.
void EndServersIn(const std::string& directory) {
  std::vector<pid_t> servers;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = static_cast<pid_t>(std::stol(name));
    const std::string command = ReadAll(entry.path() / "cmdline");
    const bool is_server = command.find("postgres") != std::string::npos ||
                           command.find("redis-server") != std::string::npos;
    if (pid != getpid() && is_server && command.find(directory) != std::string::npos) {
      servers.push_back(pid);
    }
  }
  for (const pid_t pid : servers) kill(pid, SIGQUIT);
  const bool gone = BecomesTrue(
      [&servers] {
        for (const pid_t pid : servers) {
          if (StartTimeOf(pid)) return false;
        }
        return true;
      },
      std::chrono::seconds(5));
  if (gone) return;
  for (const pid_t pid : servers) kill(pid, SIGKILL);
}

}  // namespace

std::string ServerRoot() {
  const char* chosen = std::getenv("SUMMA_SERVER_ROOT");
  return chosen == nullptr || *chosen == '\0' ? "/tmp" : chosen;
}

ServerDirectory::ServerDirectory() {
  static std::once_flag swept;
  std::call_once(swept, SweepServerDirectories);
  path_ = ServerRoot() + "/" + kPrefix + "XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) {
    throw std::runtime_error("mkdtemp " + path_ + ": " + std::strerror(errno));
  }
  std::ofstream owner(path_ + "/owner");
  owner << getpid() << " " << StartTimeOf(getpid()).value_or("?") << "\n";
}

ServerDirectory::~ServerDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void SweepServerDirectories() {
  std::error_code ignored;
  std::vector<std::string> dead;
  for (const auto& entry : fs::directory_iterator(ServerRoot(), ignored)) {
    const std::string path = entry.path();
    const bool ours = entry.path().filename().string().rfind(kPrefix, 0) == 0;
    if (ours && OwnerIsDead(path)) dead.push_back(path);
  }
  for (const auto& path : dead) {
    EndServersIn(path);
    fs::remove_all(path, ignored);
  }
}

int FreePort() {
  // Below the ports that the kernel gives to outgoing connections: none of those takes it before
  // its server does, nor the port 10,000 above, where a node of a Redis Cluster listens as well.
  constexpr int kFirst = 10'000, kLast = 22'000, kAttempts = 1'000;
  thread_local std::mt19937 random{std::random_device{}()};
  for (int i = 0; i < kAttempts; ++i) {
    const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0) throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
    const int port = std::uniform_int_distribution(kFirst, kLast)(random);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const bool free = bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(socket_fd);
    if (free) return port;
  }
  throw std::runtime_error("no free TCP port on 127.0.0.1");
}

void RequireMainThread(const std::string& what) {
  if (syscall(SYS_gettid) == getpid()) return;
  throw std::logic_error(what +
                         " must be started from the main thread: the kernel ends it together with "
                         "the thread that started it");
}

std::string LogTail(const std::string& path) {
  const std::string text = ReadAll(path);
  return text.size() <= kLogTailBytes ? text : "..." + text.substr(text.size() - kLogTailBytes);
}

}  // namespace summa::testkit
