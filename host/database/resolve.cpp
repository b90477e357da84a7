#include "host/database/resolve.hpp"
#include "summa/mutex.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <system_error>
#include <thread>

namespace summa::host {
namespace {

// How often somebody who waits for the look-up of somebody else sees whether it is done.
constexpr std::chrono::milliseconds kPollInterval{10};

Resolved LookUp(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  Resolved resolved;
  if (const int failed = getaddrinfo(name.c_str(), nullptr, &hints, &found); failed != 0) {
    resolved.trouble = gai_strerror(failed);
    return resolved;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  for (; found != nullptr; found = found->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) != 0) {
      continue;
    }
    if (std::find(resolved.addresses.begin(), resolved.addresses.end(), text) ==
        resolved.addresses.end()) {
      resolved.addresses.emplace_back(text);
    }
  }
  if (resolved.addresses.empty()) resolved.trouble = "it has no address";
  return resolved;
}

struct Pending {
  Mutex mutex;
  bool done SUMMA_GUARDED_BY(mutex) = false;
  Resolved resolved SUMMA_GUARDED_BY(mutex);
};

// Never destroyed: a thread may still look up when the process ends.
struct Directory {
  Mutex mutex;
  std::map<std::string, std::shared_ptr<Pending>> pending SUMMA_GUARDED_BY(mutex);
};
Directory& TheDirectory() {
  static auto* const directory = new Directory;
  return *directory;
}

std::shared_ptr<Pending> Begin(const std::string& name) {
  Directory& directory = TheDirectory();
  const MutexLock lock(directory.mutex);
  if (const auto found = directory.pending.find(name); found != directory.pending.end()) {
    return found->second;
  }
  auto begun = std::make_shared<Pending>();
  std::thread([name, pending = begun, &directory] {
    Resolved resolved = LookUp(name);
    {
      const MutexLock done(pending->mutex);
      pending->resolved = std::move(resolved);
      pending->done = true;
    }
    const MutexLock all(directory.mutex);
    directory.pending.erase(name);
  }).detach();
  directory.pending.emplace(name, begun);
  return begun;
}

bool Numeric(const std::string& name) {
  unsigned char address[sizeof(in6_addr)];
  return inet_pton(AF_INET, name.c_str(), address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), address) == 1;
}

}  // namespace

int PollMilliseconds(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

Resolved Resolve(const std::string& name, WakeUp& stop,
                 std::chrono::steady_clock::time_point deadline) {
  if (Numeric(name)) return {{name}, ""};
  std::shared_ptr<Pending> pending;
  try {
    pending = Begin(name);
  } catch (const std::system_error& error) {
    return {{}, std::string("the name was not resolved, for want of a thread: ") + error.what()};
  }
  for (;;) {
    {
      const MutexLock lock(pending->mutex);
      if (pending->done) return pending->resolved;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return {{}, "the name was not resolved in time"};
    pollfd socket{stop.descriptor(), POLLIN, 0};
    if (poll(&socket, 1, PollMilliseconds(std::min(deadline, now + kPollInterval))) > 0) {
      return {{}, "told to stop"};
    }
  }
}

}  // namespace summa::host
