#include <dirent.h>
#include <unistd.h>

#include <climits>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <memory>

#include <summa/conformance.hpp>

namespace summa::conformance {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::set<int> Threads() {
  std::set<int> threads;
  const std::unique_ptr<DIR, CloseDirectory> tasks(opendir("/proc/self/task"));
  while (tasks != nullptr) {
    const dirent* entry = readdir(tasks.get());
    if (entry == nullptr) break;
    if (const int id = std::atoi(entry->d_name); id > 0) threads.insert(id);
  }
  return threads;
}

}  // namespace

Surroundings LookAround() {
  Surroundings found;
  found.threads = Threads();
  for (int number = 1; number < static_cast<int>(found.signal_handlers.size()); ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0) continue;
    found.signal_handlers[static_cast<std::size_t>(number)] =
        reinterpret_cast<std::uintptr_t>(action.sa_handler);
  }
  char directory[PATH_MAX] = {};
  if (getcwd(directory, sizeof directory) != nullptr) found.directory = directory;
  if (const char* locale = std::setlocale(LC_ALL, nullptr)) found.locale = locale;
  return found;
}

}  // namespace summa::conformance
