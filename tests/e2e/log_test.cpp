// Nobody who works, renews a lease, answers or ends waits for whoever reads what the host says.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iostream>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/server_directory.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

// A pipe with a name, full from the beginning, that nobody reads until ReadUntil().
class FullFifo {
 public:
  FullFifo() : place_("unused", "") {
    path_ = place_.Directory() + "/fifo";
    if (mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
    reader_ = open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    for (const std::size_t piece : {std::size_t{4096}, std::size_t{1}}) {
      const std::string filling(piece, '#');
      while (write(reader_, filling.data(), filling.size()) > 0) {
      }
    }
  }
  ~FullFifo() { Close(); }
  FullFifo(const FullFifo&) = delete;
  FullFifo& operator=(const FullFifo&) = delete;

  const std::string& path() const { return path_; }
  void Close() {
    if (reader_ >= 0) close(reader_);
    reader_ = -1;
  }
  void Reopen() { reader_ = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }
  // What comes until `mark` has come; throws when it does not.
  std::string ReadUntil(const std::string& mark) {
    std::string text;
    WaitUntil(
        [&] {
          char buffer[65536];
          const ssize_t size = read(reader_, buffer, sizeof buffer);
          if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
          return text.find(mark) != std::string::npos;
        },
        kTimeout, "\"" + mark + "\" in the log");
    return text;
  }

 private:
  TemporaryFile place_;
  std::string path_;
  int reader_ = -1;
};

double Metric(int port, const std::string& name) {
  const std::string text = HttpGet(port, "/metrics").body;
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

class UnreadLog : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    url_ = InstallLedger(*server_, "ledger_" + std::to_string(++databases_));
  }

  std::vector<std::string> Command(const std::string& plugin, int port, const std::string& name) {
    files_.push_back(std::make_unique<TemporaryFile>(
        "summa.yaml", "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
                          "host: { name: " + name +
                          ", listen: \"127.0.0.1:" + std::to_string(port) +
                          "\", drain_timeout: 10m }\nplugins: { " + plugin + ": {} }\n"));
    return {SummaHostPath(),       "run",          "-c",
            files_.back()->Path(), "--plugin-dir", PluginDirectory(plugin)};
  }
  std::unique_ptr<Process> Start(const std::string& plugin, int port, const std::string& log,
                                 const std::string& name = "tested") {
    ProcessOptions options = CleanEnvironment();
    options.stderr_path = log;
    return std::make_unique<Process>(Command(plugin, port, name), options);
  }
  void WaitForRuns(Process& host, int port, const std::string& worker) {
    WaitUntil(
        [&] {
          const std::string status = HttpGet(port, "/status").body;
          return !host.Running() || (status.find("\"" + worker + "\"") != std::string::npos &&
                                     status.find("\"lastSuccessAt\":\"") != std::string::npos);
        },
        kTimeout, "a run of " + worker);
    ASSERT_TRUE(host.Running());
  }
  std::string Holder(const std::string& worker) {
    const auto rows = Db(url_).Column(
        "SELECT lease_holder FROM worker_lease WHERE lease_until > clock_timestamp() AND "
        "worker_id = '" +
        worker + "'");
    return rows.empty() ? "" : rows.at(0);
  }

  static PostgresServer* server_;
  static int databases_;
  std::string url_;
  std::vector<std::unique_ptr<TemporaryFile>> files_;
};

PostgresServer* UnreadLog::server_ = nullptr;
int UnreadLog::databases_ = 0;

TEST_F(UnreadLog, InAFullPipeStopsNeitherWorkNorTheEndAndTheStandbyTakesOver) {
  FullFifo log;
  const int port = FreePort(), other_port = FreePort();
  ProcessOptions options = CleanEnvironment();
  options.stderr_path = options.stdout_path = log.path();
  const auto holder = std::make_unique<Process>(Command("good", port, "holder"), options);
  WaitForRuns(*holder, port, "good-worker");
  const std::string runs = HttpGet(port, "/metrics").body;
  ASSERT_NE(Holder("good-worker").find("holder"), std::string::npos);
  const auto heir = Start("good", other_port, "/dev/null", "heir");
  WaitUntil(
      [&] { return HttpGet(other_port, "/status").body.find("standby") != std::string::npos; },
      kTimeout, "a standby");
  holder->Signal(SIGTERM);
  EXPECT_EQ(holder->WaitOrKill(kTimeout), 0);
  WaitUntil([&] { return Holder("good-worker").find("heir") != std::string::npos; }, kTimeout,
            "the take-over");
  heir->Signal(SIGTERM);
  EXPECT_EQ(heir->WaitOrKill(kTimeout), 0);
}

TEST_F(UnreadLog, ThatIsReadAfterAllSaysWhatIsMissing) {
  FullFifo log;
  const int port = FreePort();
  const auto host = Start("chatty", port, log.path());
  WaitUntil([&] { return Metric(port, "summa_log_lines_dropped_total") > 100; }, kTimeout,
            "lines that give way");
  log.ReadUntil("SH-0907 lines of the log were lost because they were not read in time lines=");
  log.ReadUntil("\nfrom a library in C, after ");
  log.ReadUntil("\nfrom a library in C++, after ");
#ifdef SUMMA_SANITIZED
  std::cout << "skipped: the bound of the memory; a sanitizer keeps what is freed\n";
#else
  EXPECT_LT(host->Use().resident_bytes, std::size_t{200} << 20);
#endif
  host->Signal(SIGTERM);
  log.ReadUntil("host ended");
  EXPECT_EQ(host->WaitOrKill(kTimeout), 0);
}

TEST_F(UnreadLog, OnAFullDiskIsCountedAndWorkGoesOn) {
  const int port = FreePort();
  const auto host = Start("good", port, "/dev/full");
  WaitForRuns(*host, port, "good-worker");
  WaitUntil([&] { return Metric(port, "summa_log_lines_dropped_total") > 0; }, kTimeout,
            "a line that was lost");
  host->Signal(SIGTERM);
  EXPECT_EQ(host->WaitOrKill(kTimeout), 0);
}

TEST_F(UnreadLog, WhoseReaderRestartsIsCountedAndGoesOn) {
  FullFifo log;
  const int port = FreePort();
  const auto host = Start("chatty", port, log.path());
  WaitForRuns(*host, port, "chatterer");
  log.Close();
  const double before = Metric(port, "summa_log_lines_dropped_total");
  WaitUntil([&] { return Metric(port, "summa_log_lines_dropped_total") > before + 100; }, kTimeout,
            "lines without a reader");
  WaitUntil([&] { return HttpGet(port, "/readyz").status == 200; }, kTimeout, "ready");
  log.Reopen();
  log.ReadUntil("SH-0907 lines of the log were lost");
  host->Signal(SIGTERM);
  log.ReadUntil("host ended");
  EXPECT_EQ(host->WaitOrKill(kTimeout), 0);
}

TEST_F(UnreadLog, ClosedDescriptorsBecomeDevNullAndNothingElse) {
  const int port = FreePort();
  std::vector<std::string> command = {"/bin/sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"};
  for (const std::string& word : Command("good", port, "tested")) command.push_back(word);
  Process host(command, CleanEnvironment());
  WaitForRuns(host, port, "good-worker");
  for (const char* descriptor : {"0", "1", "2"}) {
    EXPECT_EQ(
        std::filesystem::read_symlink("/proc/" + std::to_string(host.Pid()) + "/fd/" + descriptor),
        "/dev/null");
  }
  host.Signal(SIGTERM);
  EXPECT_EQ(host.WaitOrKill(kTimeout), 0);
}

// Verbs: what they say is whole, in order, and an end that nobody could read is no success.
RunResult Shell(const std::string& command) {
  return RunProgram({"/bin/sh", "-c", command, "sh", SummaHostPath()}, CleanEnvironment());
}

TEST(VerbOutput, ThatCannotBeWrittenIsNoSuccess) {
  for (const char* to : {">/dev/full", ">&-"}) {
    const RunResult result = Shell(std::string("exec \"$1\" help ") + to);
    EXPECT_EQ(result.exit_code, 74) << to;
    EXPECT_NE(result.err.find("error SH-0906"), std::string::npos) << to << result.err;
  }
}

TEST(VerbOutput, WhoseReaderGoesIsNoSuccess) {
  FullFifo out;
  ProcessOptions options = CleanEnvironment();
  options.stdout_path = out.path();
  Process verb({SummaHostPath(), "help"}, options);
  EXPECT_EQ(verb.Wait(std::chrono::milliseconds(200)), std::nullopt) << "it waits for its reader";
  out.Close();
  EXPECT_EQ(verb.WaitOrKill(kTimeout), 74);
  EXPECT_NE(verb.Stderr().find("error SH-0906"), std::string::npos) << verb.Stderr();
}

TEST(VerbOutput, ErrorsComeWholeToAReaderThatTakesItsTime) {
  std::string text = "database: { ledger: { url: \"postgresql:///x\" } }\nplugins: {}\nhost:\n";
  constexpr int kWrong = 3000;
  for (int i = 0; i < kWrong; ++i) text += "  unknown_key_" + std::to_string(i) + ": 1\n";
  const TemporaryFile file("summa.yaml", text);
  FullFifo err;
  ProcessOptions options = CleanEnvironment();
  options.stderr_path = err.path();
  Process verb({SummaHostPath(), "config", "check", "-c", file.Path()}, options);
  EXPECT_EQ(verb.Wait(std::chrono::milliseconds(200)), std::nullopt) << "it waits for its reader";
  const std::string text_read = err.ReadUntil("unknown_key_" + std::to_string(kWrong - 1) + ":");
  for (int i = 0; i < kWrong; ++i) {
    ASSERT_NE(text_read.find("unknown_key_" + std::to_string(i) + ":"), std::string::npos) << i;
  }
  EXPECT_EQ(verb.WaitOrKill(kTimeout), 78);
}

}  // namespace
}  // namespace summa::test
