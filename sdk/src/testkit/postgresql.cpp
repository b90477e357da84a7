#include <summa/testkit/postgresql.hpp>

#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <summa/testkit/db.hpp>
#include <summa/testkit/wait_until.hpp>
#include <system_error>
#include <vector>

#include "postgresql_template.hpp"
#include "server_directory.hpp"

namespace summa::testkit {
namespace {

namespace fs = std::filesystem;

constexpr int kDefaultPort = 5432;
constexpr char kObjectInUse[] = "55006";
// Restoring or making a large database takes minutes on a slow machine.
constexpr std::chrono::minutes kPsqlTimeout{30};

std::string FindBinaries() {
  const auto usable = [](const std::string& folder) {
    return access((folder + "/postgres").c_str(), X_OK) == 0 &&
           access((folder + "/initdb").c_str(), X_OK) == 0;
  };
  std::vector<std::string> found;
  std::error_code ignored;
  try {
    std::string folder = RunProgram({"pg_config", "--bindir"}).out;
    folder.erase(folder.find_last_not_of("\r\n ") + 1);
    if (usable(folder)) return folder;
  } catch (const std::runtime_error&) {
    found.clear();  // no pg_config: look where Debian puts the servers
  }
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string folder = entry.path() / "bin";
    if (usable(folder)) found.push_back(folder);
  }
  if (found.empty()) {
    throw std::runtime_error(
        "no PostgreSQL server found (pg_config --bindir, /usr/lib/postgresql/*/bin); install the "
        "package postgresql");
  }
  return *std::max_element(found.begin(), found.end());
}

std::string Assignment(const std::string& name, const std::string& value) {
  return name + "=" + value;
}

void RequireSimpleName(const std::string& name) {
  if (!name.empty() &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos) {
    return;
  }
  throw std::logic_error("database name " + name + " is not made of a-z, 0-9 and _");
}

// The processes whose parent is `parent`.
std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    const auto bracket = line.rfind(')');
    if (bracket == std::string::npos) continue;
    std::istringstream rest(line.substr(bracket + 1));
    std::string state;
    pid_t parent_of_it = 0;
    rest >> state >> parent_of_it;
    if (parent_of_it == parent) children.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return children;
}

}  // namespace

std::string PostgreSqlBinaries() {
  static const std::string folder = FindBinaries();
  return folder;
}

PostgreSql::PostgreSql(PostgreSqlOptions options)
    : options_(std::move(options)),
      directory_(std::make_unique<ServerDirectory>()),
      port_(options_.tcp ? FreePort() : kDefaultPort) {
  if (options_.standby_of == nullptr) CopyTemplateData(DataDirectory());
  if (chown(SocketDirectory().c_str(), ServerUser().user_id, ServerUser().group_id) != 0) {
    throw std::runtime_error("chown " + SocketDirectory() + ": " + std::strerror(errno));
  }
  if (options_.standby_of != nullptr) CopyPrimary();
  Start();
}

void PostgreSql::CopyPrimary() {
  const PostgreSql& primary = *options_.standby_of;
  auto command = ServerUser().prefix;
  command.insert(command.end(),
                 {PostgreSqlBinaries() + "/pg_basebackup", "-d",
                  "host=" + primary.SocketDirectory() + " port=" + std::to_string(primary.port_) +
                      " user=postgres application_name=standby",
                  "-D", DataDirectory(), "-R", "-X", "stream", "-c", "fast"});
  ProcessOptions options;
  options.working_directory = SocketDirectory();
  RunOrThrow(command, options, kPsqlTimeout);
}

void PostgreSql::Promote() {
  Db db(Url("postgres"));
  db.Query("SELECT pg_promote(true, 60)");
  WaitUntil([&] { return db.Value("SELECT pg_is_in_recovery()") == "f"; }, kTimeout,
            "the end of recovery");
}

PostgreSql::~PostgreSql() {
  if (!process_) return;
  process_->Signal(SIGQUIT);  // immediate: the data are about to be removed
  process_->Wait(kTimeout);
}

void PostgreSql::Start() {
  RequireMainThread("postgres");
  if (Running()) return;
  auto command = ServerUser().prefix;
  command.insert(command.end(), {PostgreSqlBinaries() + "/postgres", "-D", DataDirectory(), "-k",
                                 SocketDirectory(), "-p", std::to_string(port_)});
  const std::string fsync = options_.fsync ? "on" : "off";
  std::map<std::string, std::string> settings = {
      {"listen_addresses", options_.tcp ? "127.0.0.1" : ""},
      {"fsync", fsync},
      {"full_page_writes", fsync},
      {"synchronous_commit", fsync},
      {"shared_buffers", options_.shared_buffers},
      {"max_wal_size", "64MB"},
      {"log_min_messages", "warning"},
      {"timezone", "UTC"},
      {"log_timezone", "UTC"}};
  for (const auto& [name, value] : options_.settings) settings[name] = value;
  for (const auto& [name, value] : settings) {
    command.insert(command.end(), {"-c", Assignment(name, value)});
  }
  ProcessOptions process_options;
  process_options.working_directory = SocketDirectory();
  process_options.stdout_path = LogPath();
  process_options.stderr_path = LogPath();
  process_options.signal_on_parent_death = SIGQUIT;
  process_options.own_process_group = true;  // who started it decides when it ends
  process_ = std::make_unique<Process>(command, process_options);
  const bool up = BecomesTrue(
      [this] { return !process_->Running() || PQping(Url("postgres").c_str()) == PQPING_OK; });
  if (!up || !process_->Running()) {
    process_.reset();
    throw std::runtime_error("PostgreSQL did not start:\n" + LogTail(LogPath()));
  }
}

void PostgreSql::StopFast() {
  if (!process_) return;
  process_->Signal(SIGINT);
  process_->WaitOrKill(kTimeout);
  process_.reset();
}

void PostgreSql::KillNine() {
  if (!process_) return;
  // Frozen, the postmaster can neither start children nor react to their deaths.
  process_->Signal(SIGSTOP);
  const auto children = ChildrenOf(process_->Pid());
  process_->Signal(SIGKILL);
  for (const pid_t child : children) kill(child, SIGKILL);
  process_->WaitOrKill(kTimeout);
  process_.reset();
  // A restart is refused while an old backend is attached to the shared memory.
  WaitUntil(
      [&children] {
        for (const pid_t child : children) {
          if (StartTimeOf(child)) return false;
        }
        return true;
      },
      kTimeout, "the killed backends to be gone");
}

void PostgreSql::Freeze() {
  // First the postmaster, so that no child is born unseen.
  process_->Signal(SIGSTOP);
  for (const pid_t child : ChildrenOf(process_->Pid())) kill(child, SIGSTOP);
}

void PostgreSql::Thaw() {
  for (const pid_t child : ChildrenOf(process_->Pid())) kill(child, SIGCONT);
  process_->Signal(SIGCONT);
}

void PostgreSql::Restart() {
  StopFast();
  Start();
}

bool PostgreSql::Running() { return process_ && process_->Running(); }

const std::string& PostgreSql::SocketDirectory() const { return directory_->Path(); }

std::string PostgreSql::DataDirectory() const { return SocketDirectory() + "/data"; }

std::string PostgreSql::LogPath() const { return SocketDirectory() + "/log"; }

std::string PostgreSql::Url(const std::string& database) const {
  return "postgresql://postgres@/" + database + "?host=" + SocketDirectory() +
         "&port=" + std::to_string(port_);
}

std::string PostgreSql::TcpUrl(const std::string& database) const {
  if (!options_.tcp) throw std::logic_error("this server was started without the option tcp");
  return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string PostgreSql::CreateDatabase(const std::string& name, const std::string& from_template) {
  RequireSimpleName(name);
  Db admin(Url("postgres"));
  if (from_template.empty()) {
    admin.Execute("CREATE DATABASE " + name);
    return Url(name);
  }
  RequireSimpleName(from_template);
  const auto copied = [&] {
    try {
      admin.Execute("CREATE DATABASE " + name + " TEMPLATE " + from_template);
      return true;
    } catch (const DbError& error) {
      if (error.sqlstate != kObjectInUse) throw;
      return false;
    }
  };
  WaitUntil(copied, kTimeout, "the end of the sessions of " + from_template);
  return Url(name);
}

void PostgreSql::DropDatabase(const std::string& name) {
  RequireSimpleName(name);
  Db(Url("postgres")).Execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)");
}

std::string PostgreSql::RunSql(const std::string& database, const std::string& text,
                               const Variables& variables) {
  std::vector<std::string> command = {
      PostgreSqlBinaries() + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"};
  for (const auto& [name, value] : variables) {
    command.insert(command.end(), {"-v", Assignment(name, value)});
  }
  command.insert(command.end(), {"-f", "-", Url(database)});
  ProcessOptions options;
  options.stdin_text = text;
  return RunOrThrow(command, options, kPsqlTimeout).out;
}

std::string PostgreSql::RunSqlFile(const std::string& database, const std::string& path,
                                   bool gzipped, const Variables& variables) {
  if (gzipped) {
    const std::string unpacked = SocketDirectory() + "/unpacked.sql";
    fs::remove(unpacked);
    ProcessOptions options;
    options.stdout_path = unpacked;
    RunOrThrow({"gzip", "-dc", path}, options, kPsqlTimeout);
    auto result = RunSql(database, "\\i " + unpacked + "\n", variables);
    fs::remove(unpacked);
    return result;
  }
  if (access(path.c_str(), R_OK) != 0) throw std::runtime_error("cannot read " + path);
  return RunSql(database, "\\i '" + path + "'\n", variables);
}

pid_t PostgreSql::Pid() const { return process_ ? process_->Pid() : -1; }

Usage PostgreSql::Use() const {
  if (!process_) return {};
  Usage sum = UsageOf(process_->Pid());
  for (const pid_t child : ChildrenOf(process_->Pid())) {
    const Usage usage = UsageOf(child);
    sum.cpu_seconds += usage.cpu_seconds;
    sum.resident_bytes += usage.resident_bytes;
    sum.peak_resident_bytes += usage.peak_resident_bytes;
  }
  return sum;
}

std::string PostgreSql::Log() const {
  std::ifstream file(LogPath());
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace summa::testkit
