#include "tests/faults/round.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "tests/e2e/summa_host.hpp"
#include "tests/faults/checker.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;

constexpr int kAccounts = 6;
// Rows that wait when a round begins: several batches of a scenario.
constexpr long long kWaitingTransactions = 50;
// Traffic after the last fault, so that the last host has both old rows and new ones.
constexpr long long kLaterTransactions = 10;
constexpr long long kRecordedTransactions = 60;
constexpr int kKilled = 128 + SIGKILL;
// In watch.sql, too: a verb locks the rows that it changes and needs no lease.
constexpr char kOperator[] = "operator";

AppenderOptions Traffic() { return {.connections = 2, .accounts = kAccounts, .rate = 40}; }

void Append(std::vector<std::string>& lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string HostConfiguration(const Scenario& scenario, const World& world, const Route& route,
                              const std::string& host_name) {
  World seen = world;
  if (!route.redis_url.empty()) seen.redis_url = route.redis_url;
  const std::string& ledger = route.ledger_url.empty() ? world.ledger_url : route.ledger_url;
  return "database: { ledger: { url: \"" + ledger +
         "\" }, migrate: auto }\nhost: { name: " + host_name +
         ", listen: \"127.0.0.1:0\", drain_timeout: 10s }\nlog: { level: info }\n" +
         "plugins: " + scenario.plugins_yaml(seen) + "\nschedules: " + scenario.schedules_yaml +
         "\n";
}

}  // namespace

FaultServers::FaultServers(PostgresOptions postgres_options, RedisOptions redis_options)
    : postgres(std::move(postgres_options)), redis(std::move(redis_options)) {}

AnyKafka& FaultServers::kafka() {
  if (!kafka_) kafka_ = std::make_unique<AnyKafka>();
  return *kafka_;
}

World FaultServers::MakeWorld(const Scenario& scenario, std::string ledger_url, std::string name) {
  World world{std::move(ledger_url), redis.Url(), std::move(name)};
  if (scenario.bus.kafka) {
    world.kafka_brokers = kafka().Brokers();
    world.kafka_is_mock = kafka().IsMock();
  }
  return world;
}

const std::string& FaultServers::Template(const Scenario& scenario) {
  std::string& name = templates[scenario.name];
  if (!name.empty()) return name;
  name = "template_" + scenario.name;
  const std::string url = InstallLedger(postgres, name);
  const World world = MakeWorld(scenario, url, "unused");
  const TemporaryFile file("summa.yaml", HostConfiguration(scenario, world, {}, "migrating"));
  const RunResult migrated =
      RunProgram({SummaHostPath(scenario.build), "migrate", "-c", file.Path()},
                 CleanEnvironment(PluginEnvironment(scenario, scenario.build)));
  if (migrated.exit_code != 0) throw std::runtime_error("migrate: " + migrated.err);
  WatchFences(postgres, name, scenario.worker, scenario.guarded_tables);
  Appender appender(url, {.connections = 2, .accounts = kAccounts});
  appender.Start();
  WaitUntil([&] { return appender.Acknowledged() >= kWaitingTransactions; }, kTimeout,
            "the rows of the template");
  appender.Stop();
  return name;
}

FaultHost::FaultHost(const std::string& program, const std::string& configuration,
                     const std::string& name, std::map<std::string, std::string> environment,
                     const std::vector<std::string>& options)
    : name_(name) {
  const std::string path = directory_.Path() + "/summa.yaml";
  WriteFile(path, configuration);
  std::vector<std::string> command{program, "run", "-c", path};
  command.insert(command.end(), options.begin(), options.end());
  process_ = std::make_unique<Process>(command, CleanEnvironment(std::move(environment)));
}

FaultHost::~FaultHost() = default;

void FaultHost::WaitUntilItRuns() {
  WaitUntil([&] { return !process_->Running() || Log().find("host runs") != std::string::npos; },
            kTimeout, "a running host; " + Log());
}

std::string FaultHost::Log() const { return "log of host " + name_ + ":\n" + process_->Stderr(); }

Round::Round(FaultServers& servers, const Scenario& scenario)
    : servers_(servers), scenario_(scenario), build_(scenario.build) {
  static int number = 0;
  database_ = "round_" + std::to_string(++number);
  const std::string& copied = servers.Template(scenario);
  world_ =
      servers.MakeWorld(scenario, servers.postgres.CreateDatabase(database_, copied), database_);
  appender_ = std::make_unique<Appender>(world_.ledger_url, Traffic());
}

Round::~Round() {
  appender_.reset();
  hosts_.clear();
  try {
    if (scenario_.bus.clean_up) scenario_.bus.clean_up(world_);
    servers_.postgres.DropDatabase(database_);
  } catch (const std::exception&) {
    return;  // the server is down, and goes with the program
  }
}

void Round::LedgerIsAt(const std::string& url) {
  world_.ledger_url = url;
  appender_ = std::make_unique<Appender>(url, Traffic());
}

std::string Round::Configuration(const std::string& host_name) const {
  return HostConfiguration(scenario_, world_, route_, host_name);
}

std::unique_ptr<FaultHost> Round::MakeHost(std::map<std::string, std::string> environment,
                                           const std::vector<std::string>& options) {
  const std::string name = "h" + std::to_string(++started_);
  environment.merge(PluginEnvironment(scenario_, build_));
  return std::make_unique<FaultHost>(SummaHostPath(build_), Configuration(name), name,
                                     std::move(environment), options);
}

FaultHost& Round::StartHost(std::map<std::string, std::string> environment,
                            const std::vector<std::string>& options) {
  std::unique_ptr<FaultHost> host = MakeHost(std::move(environment), options);
  hosts_.clear();
  return *hosts_.emplace_back(std::move(host));
}

FaultHost& Round::AddHost(std::map<std::string, std::string> environment,
                          const std::vector<std::string>& options) {
  return *hosts_.emplace_back(MakeHost(std::move(environment), options));
}

std::vector<std::string> Round::StopHost(FaultHost& host) {
  host.process().Signal(SIGTERM);
  const auto code = host.process().Wait(kTimeout);
  if (code == 0) return {};
  host.process().Signal(SIGKILL);
  return {"host " + host.name() + " ended with " + std::to_string(code.value_or(-1)) + "; " +
          host.Log()};
}

RunResult Round::RunVerb(std::vector<std::string> words,
                         std::map<std::string, std::string> environment) const {
  const TemporaryFile file("summa.yaml", Configuration(kOperator));
  words.insert(words.begin(), SummaHostPath(build_));
  words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
  environment.merge(PluginEnvironment(scenario_, build_));
  return RunProgram(std::move(words), CleanEnvironment(std::move(environment)));
}

bool Round::AnyHostRuns() const {
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [](const auto& host) { return host->process().Running(); });
}

std::string Round::Logs() const {
  std::string logs;
  for (const auto& host : hosts_) logs += host->Log();
  return logs;
}

void Round::StartTraffic() {
  appender_->Start();
  if (scenario_.more_traffic) scenario_.more_traffic(world_);
}

bool Round::Progresses(long long units) {
  const long long before = scenario_.progress(world_);
  bool moved = false;
  BecomesTrue([&] {
    moved = scenario_.progress(world_) >= before + units;
    return moved || !AnyHostRuns();
  });
  return moved;
}

void Round::WaitForProgress(long long units) {
  if (!Progresses(units)) throw std::runtime_error("no progress; " + Logs());
}

void Round::WaitUntilSettled() {
  WaitForProgress();
  appender_->Stop();  // a busy machine may write faster than it delivers
  if (!Drains()) throw std::runtime_error("something waits and nothing moves; " + Logs());
  appender_->Start();
  WaitForProgress();
}

std::vector<std::string> Round::KillAt(const CrashAt& at) {
  FaultHost& host = StartHost({{"SUMMA_CRASH_AT", Text(at)}});
  if (at.at_shutdown) {
    // What the host before it had under way may still be committed: progress alone would be taken
    // for progress of this one, which does not listen to signals yet.
    host.WaitUntilItRuns();
    // It may come to the place sooner than the recorded host, which had not renewed its lease yet
    // when it was told to stop.
    if (Progresses()) host.process().Signal(SIGTERM);
  }
  const auto code = host.process().Wait(kTimeout);
  if (code == kKilled) return {};
  const std::string how = code ? "ended with " + std::to_string(*code) : "still runs";
  return {"host " + host.name() + " was not killed at " + Text(at) + ": it " + how + "\n" +
          host.Log()};
}

bool Round::Drains() const {
  constexpr milliseconds kPause{100};
  long long moved = -1;
  auto since = std::chrono::steady_clock::now();
  while (!scenario_.drained(world_)) {
    const auto now = std::chrono::steady_clock::now();
    const long long progress = scenario_.progress(world_);
    if (progress != moved) since = now;
    if (now - since > kStandstillLimit) return false;
    moved = progress;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

std::vector<std::string> Round::Finish() {
  const long long acknowledged = appender_->Acknowledged();
  if (!AnyHostRuns()) StartHost();
  WaitUntil([&] { return appender_->Acknowledged() >= acknowledged + kLaterTransactions; },
            kTimeout, "traffic after the fault: " + appender_->LastError());
  appender_->Stop();
  const bool drained = Drains();
  std::vector<std::string> lines;
  if (!drained) lines.push_back("I12: something still waits; " + Logs());
  for (const auto& host : hosts_) Append(lines, StopHost(*host));
  ObserveOptions options;
  options.ledger_url = world_.ledger_url;
  options.redis_url = world_.redis_url;
  options.key_prefix = world_.key_prefix;
  options.messages = [this] { return scenario_.bus.messages(world_); };
  options.lease_ttl = kFaultLeaseTtl;
  Observation seen = Observe(options, appender_->Ids());
  if (seen.writes.empty()) lines.emplace_back("no write of a host was seen by the fence watch");
  Append(lines, Violations(seen));
  if (scenario_.check) Append(lines, scenario_.check(world_));
  return lines;
}

std::vector<std::string> RunKills(FaultServers& servers, const Scenario& scenario,
                                  const std::vector<CrashAt>& kills) {
  Round round(servers, scenario);
  round.StartTraffic();
  std::vector<std::string> lines;
  for (const CrashAt& at : kills) Append(lines, round.KillAt(at));
  Append(lines, round.Finish());
  return lines;
}

Recording RecordRun(FaultServers& servers, const Scenario& scenario) {
  const ServerDirectory directory;
  const std::string path = directory.Path() + "/points";
  Round round(servers, scenario);
  round.StartTraffic();
  round.StartHost({{"SUMMA_CRASH_RECORD", path}});
  WaitUntil([&] { return round.appender().Acknowledged() >= kRecordedTransactions; }, kTimeout,
            "traffic of the recording run");
  round.WaitForProgress();
  const auto lines = round.Finish();
  if (!lines.empty()) throw std::runtime_error("an undisturbed run: " + Report(lines));
  return Recording(path);
}

}  // namespace summa::test
