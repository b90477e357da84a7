#pragma once

#include <string>

namespace summa::testkit {

// Where servers keep their data: SUMMA_SERVER_ROOT, else /tmp. `./dev test` chooses a file system in
// memory when there is room: servers made and removed all the time are slow on a disk.
std::string ServerRoot();

// A private directory st.XXXXXX in ServerRoot() (short: a socket path may have 107 bytes) for one server, mode
// 0700. It holds a file `owner` that names the process which made it, so that what a killed test
// program leaves behind is recognised and swept by the next one. Removed by the destructor.
// The maker must end its server first. Thread-safe to make, not to share.
class ServerDirectory {
 public:
  ServerDirectory();
  ~ServerDirectory();
  ServerDirectory(const ServerDirectory&) = delete;
  ServerDirectory& operator=(const ServerDirectory&) = delete;

  const std::string& Path() const { return path_; }

 private:
  std::string path_;
};

// Ends servers in, and removes, every directory of this user's whose owner is dead. Run by the
// first ServerDirectory of a process.
void SweepServerDirectories();

// A TCP port on 127.0.0.1 that was free a moment ago.
int FreePort();

// Servers die with the thread that starts them, so they must be started from the main thread.
// Throws std::logic_error elsewhere.
void RequireMainThread(const std::string& what);

// Last lines of a log file, for error texts.
std::string LogTail(const std::string& path);

}  // namespace summa::testkit
