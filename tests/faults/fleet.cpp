#include "tests/faults/fleet.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>

#include "tests/fixture/ledger.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::test {
namespace {

constexpr const char* kContinuous[] = {"fence-writer", "idle-writer", "fence-streamer",
                                       "deaf-writer"};
constexpr const char* kPeriodic[] = {"daily-writer", "often-writer"};

std::string Configuration(const std::string& url, const std::string& name,
                          const HostOptions& options) {
  std::string text = "database: { ledger: { url: \"" + url + "\" }, migrate: auto }\n";
  text += "host: { name: " + name + ", listen: \"127.0.0.1:0\", drain_timeout: ";
  text += options.drain_timeout + " }\nplugins: { " + options.plugins + " }\n";
  if (options.without_writer) return text;
  text += "schedules:\n";
  const std::string lease = ": { lease_ttl: " + std::to_string(options.lease.count()) + "ms";
  for (const std::string worker : kContinuous) text += "  " + worker + lease + " }\n";
  for (const std::string worker : kPeriodic) text += "  " + worker + lease + ", jitter: 0% }\n";
  return text;
}

std::vector<std::string> Arguments(const std::string& file, const HostOptions& options) {
  const std::string build = std::getenv("SUMMA_BINARY_DIR");
  std::vector<std::string> arguments = {"-c",           file,
                                        "--plugin-dir", build + "/tests/faults/plugins",
                                        "--plugin-dir", build + "/lib/summa/plugins"};
  for (const std::string& worker : options.workers) {
    arguments.insert(arguments.end(), {"--only", worker});
  }
  return arguments;
}

// The state letter of /proc/PID/task/TID/stat is the first after the name in parentheses.
bool AllThreadsStopped(pid_t pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream file(task.path() / "stat");
    const std::string stat((std::istreambuf_iterator<char>(file)), {});
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || stat.size() < name_end + 3) return false;
    if (stat[name_end + 2] != 'T') return false;
  }
  return true;
}

}  // namespace

FleetHost::FleetHost(const std::string& url, const std::string& name, const HostOptions& options)
    : application_("summa-host/" + name),
      file_("summa.yaml", Configuration(url, name, options)),
      host_(Arguments(file_.Path(), options), options.environment) {}

std::string FleetHost::StatusOf(const std::string& worker) {
  const std::string status = Status();
  const std::size_t at = status.find("\"id\":\"" + worker + "\"");
  return at == std::string::npos ? "" : status.substr(at, status.find('}', at) - at);
}

bool FleetHost::StandsBy(const std::string& worker) {
  const std::string entry = StatusOf(worker);
  return entry.find("\"state\":\"standby\"") != std::string::npos &&
         entry.find("\"holder\":\"") != std::string::npos;
}

double FleetHost::Metric(const std::string& name, const std::string& worker) {
  const std::string mark = name + "{worker=\"" + worker + "\"} ";
  const std::string text = HttpGet(host_.Port(), "/metrics").body;
  const std::size_t at = text.find(mark);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + mark.size(), 32));
}

bool FleetHost::Frozen() { return AllThreadsStopped(host_.process().Pid()); }

void FleetHost::Freeze() {
  process().Signal(SIGSTOP);
  WaitUntil([&] { return Frozen(); }, kTimeout, "a frozen host");
}

void FleetHost::KillNine() {
  process().Signal(SIGKILL);
  process().WaitOrKill(kTimeout);
}

int FleetHost::Terminate(std::chrono::milliseconds timeout) {
  process().Signal(SIGTERM);
  return process().WaitOrKill(timeout);
}

PostgresServer* FleetTest::server_ = nullptr;
int FleetTest::databases_ = 0;

void FleetTest::SetUpTestSuite() {
  PostgresOptions options;
  options.settings = {{"track_commit_timestamp", "on"}, {"max_connections", "300"}};
  server_ = new PostgresServer(options);
}

void FleetTest::TearDownTestSuite() {
  delete server_;
  server_ = nullptr;
}

void FleetTest::SetUp() {
  const std::string name = "fleet_" + std::to_string(++databases_);
  url_ = InstallLedger(*server_, name);
  const TemporaryFile file("summa.yaml",
                           "database: { ledger: { url: \"" + url_ + "\" } }\nplugins: {}\n");
  const RunResult migrated = SummaHost({"migrate", "-c", file.Path()});
  ASSERT_EQ(migrated.exit_code, 0) << migrated.err;
  server_->RunSqlFile(name, SourceDir() + "/tests/faults/fleet.sql");
  db_ = std::make_unique<Db>(url_);
}

void FleetTest::TearDown() {
  for (const auto& host : {std::cref(holder_), std::cref(heir_)}) {
    if (HasFailure() && host.get()) {
      std::cout << host.get()->application() << ":\n" << host.get()->Log() << "\n";
    }
  }
  holder_.reset();
  heir_.reset();
  if (!db_) return;
  for (const std::string& what : db_->Column("SELECT what FROM fleet.violation")) {
    ADD_FAILURE() << what;
  }
}

std::unique_ptr<FleetHost> FleetTest::Start(const std::string& name, const HostOptions& options) {
  return std::make_unique<FleetHost>(url_, name, options);
}

std::unique_ptr<FleetHost> FleetTest::Start(const std::string& name, const std::string& worker) {
  return Start(name, HostOptions{.workers = {worker}});
}

void FleetTest::StartPair(const std::string& worker) {
  holder_ = Start("holder", worker);
  WaitForRows(worker, 1);
  heir_ = Start("heir", worker);
  WaitUntil([&] { return heir_->StandsBy(worker); }, kTimeout, "a standby");
}

void FleetTest::AddStandby(const std::string& name, const HostOptions& options) {
  const std::string& worker = options.workers.at(0);
  heir_ = Start(name, options);
  WaitUntil(
      [&] {
        if (heir_->StandsBy(worker)) return true;
        if (!holder_->StandsBy(worker)) return false;
        std::swap(holder_, heir_);
        return true;
      },
      kTimeout, "a standby");
}

long long FleetTest::Fence(const std::string& worker) {
  return db_->Count("SELECT coalesce(max(fence), 0) FROM fleet.fence_log WHERE worker = $1",
                    {worker});
}

long long FleetTest::Written(const std::string& worker, long long fence) {
  return db_->Count("SELECT count(*) FROM fleet.written WHERE worker = $1 AND fence = $2",
                    {worker, std::to_string(fence)});
}

void FleetTest::WaitForRows(const std::string& worker, long long fence) {
  WaitUntil([&] { return Written(worker, fence) > 0; }, kTimeout,
            "rows of " + worker + " under fence " + std::to_string(fence));
}

double FleetTest::Gap(const std::string& worker, long long fence) {
  return std::stod(
      db_->Value("SELECT extract(epoch FROM gap) FROM fleet.handover WHERE worker = $1 AND "
                 "fence = $2",
                 {worker, std::to_string(fence)}));
}

std::optional<double> FleetTest::GapSince(const std::string& worker, const std::string& since) {
  WaitUntil(
      [&] {
        return db_->Count(
                   "SELECT count(*) FROM fleet.written WHERE worker = $1 AND host = $2 AND at > $3",
                   {worker, heir_->application(), since}) > 0;
      },
      kTimeout, "work of " + heir_->application());
  const auto gaps = db_->Column(
      "SELECT extract(epoch FROM gap) FROM fleet.handover WHERE worker = $1 AND at > $2 "
      "ORDER BY fence LIMIT 1",
      {worker, since});
  if (gaps.empty()) return std::nullopt;
  return std::stod(gaps[0]);
}

bool Soaking() { return std::getenv("SUMMA_SOAK") != nullptr; }

unsigned Seed() {
  static const unsigned seed = [] {
    const char* given = std::getenv("SUMMA_SOAK_SEED");
    const unsigned chosen =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "SUMMA_SOAK_SEED=" << chosen << "\n";
    return chosen;
  }();
  return seed;
}

}  // namespace summa::test
