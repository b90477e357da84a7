// summa-sandbox: a private PostgreSQL with an empty ledger, for the time of one command.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <summa/testkit/postgresql.hpp>
#include <summa/testkit/test_ledger.hpp>
#include <system_error>
#include <vector>

namespace {

namespace fs = std::filesystem;

// Beside the folder of the program, in a build and where it is installed.
constexpr char kPlugins[] = "../lib/summa/testkit";
constexpr int kUsage = 64, kUnavailable = 69, kNotExecuted = 127, kSignalBase = 128;

constexpr char kHelp[] =
    "usage: summa-sandbox [--accounts N] [COMMAND [ARGUMENTS]]\n"
    "\n"
    "Starts a private PostgreSQL with a new ledger, runs COMMAND (default: a shell), and removes\n"
    "everything when the command has ended. Its exit code is that of the command.\n"
    "\n"
    "  --accounts N   open N accounts (default 3), each with a credit of 100\n"
    "\n"
    "The command sees:\n"
    "  DATABASE_URL       the ledger\n"
    "  SUMMA_PLUGIN_PATH  also finds bus-memory, a bus in the memory of a host, for consumers\n"
    "\n"
    "Needs summa-host in PATH and the programs of a PostgreSQL server (Debian: postgresql).\n";

struct Options {
  int accounts = 3;
  std::vector<std::string> command;
};

[[noreturn]] void RefuseUsage(const std::string& problem) {
  std::cerr << "error: " << problem << "\n" << kHelp;
  std::exit(kUsage);
}

int ReadCount(const std::string& text) {
  constexpr std::size_t kMostDigits = 4;
  if (text.empty() || text.size() > kMostDigits ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    RefuseUsage("--accounts is given \"" + text + "\", and needs a number from 0 to 9999");
  }
  return std::stoi(text);
}

Options ReadOptions(int count, char** words) {
  Options options;
  int at = 1;
  for (; at < count && words[at][0] == '-'; ++at) {
    const std::string word = words[at];
    if (word == "--help" || word == "-h") {
      std::cout << kHelp;
      std::exit(0);
    }
    if (word == "--") {
      ++at;
      break;
    }
    if (word != "--accounts") RefuseUsage("unknown option " + word);
    if (at + 1 == count) RefuseUsage("--accounts needs a number");
    options.accounts = ReadCount(words[++at]);
  }
  options.command.assign(words + at, words + count);
  if (options.command.empty()) {
    const char* shell = std::getenv("SHELL");
    options.command = {shell == nullptr || *shell == '\0' ? "/bin/sh" : shell};
  }
  return options;
}

// The folder of this program, whatever it was called by.
fs::path ProgramFolder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : program.parent_path();
}

// The host and the plugins of the installation that this program belongs to come first.
void PrepareEnvironment() {
  const fs::path folder = ProgramFolder();
  if (std::getenv("SUMMA_HOST_PROGRAM") == nullptr &&
      access((folder / "summa-host").c_str(), X_OK) == 0) {
    setenv("SUMMA_HOST_PROGRAM", (folder / "summa-host").c_str(), 1);
    const char* path = std::getenv("PATH");
    const std::string rest = path == nullptr ? "/usr/bin:/bin" : path;
    setenv("PATH", (folder.string() + ":" + rest).c_str(), 1);
  }
  const fs::path plugins = folder / kPlugins;
  if (!fs::is_directory(plugins)) return;
  const char* path = std::getenv("SUMMA_PLUGIN_PATH");
  const std::string before = path == nullptr || *path == '\0' ? "" : std::string(path) + ":";
  setenv("SUMMA_PLUGIN_PATH", (before + fs::canonical(plugins).string()).c_str(), 1);
}

// Ctrl-C is for the command: it belongs to the same group of processes. A shell reports its end.
int RunCommand(std::vector<std::string> command) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGQUIT, SIG_IGN);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (child == 0) {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGQUIT, SIG_DFL);
    std::signal(SIGPIPE, SIG_DFL);
    execvp(words[0], words.data());
    std::cerr << "error: cannot run " << words[0] << ": " << std::strerror(errno) << "\n";
    _exit(kNotExecuted);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
}

int Run(const Options& options) {
  PrepareEnvironment();
  summa::testkit::PostgreSql server;
  {
    summa::testkit::TestLedger ledger(server);
    for (int i = 1; i <= options.accounts; ++i) {
      constexpr long long kCredit = 100;
      ledger.OpenAccount(i);
      ledger.Credit(i, kCredit);
    }
    setenv("DATABASE_URL", ledger.Url().c_str(), 1);
  }
  return RunCommand(options.command);
}

}  // namespace

int main(int count, char** words) {
  const Options options = ReadOptions(count, words);
  try {
    return Run(options);
  } catch (const std::exception& error) {
    std::cerr << "error: summa-sandbox: " << error.what() << "\n";
    return kUnavailable;
  }
}
