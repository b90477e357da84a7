// The real summa-host, run as a shell runs it. Link Summa::testkit.
//
//   summa::testkit::HostProgram host("database: { ledger: { url: \"" + url + "\" } }\n"
//                                    "plugins: { hello: {} }\n");
//   EXPECT_EQ(host.Run({"run", "--once"}).exit_code, 0);
//
// The program is the one that the environment variable SUMMA_HOST_PROGRAM names, else `summa-host`
// of PATH; it finds plugins in SUMMA_PLUGIN_PATH. summa_add_plugin_test() sets both for ctest.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <summa/testkit/process.hpp>
#include <vector>

namespace summa::testkit {

// A file in a directory that goes with the object.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& text);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& Path() const { return path_; }
  const std::string& Directory() const { return directory_; }

 private:
  std::string directory_, path_;
};

// Options for a child that sees no configuration, database or bus of the machine that it runs on;
// SUMMA_PLUGIN_PATH stays.
ProcessOptions CleanEnvironment(std::map<std::string, std::string> environment = {});

// One thread at a time. Errors: std::runtime_error.
class HostProgram {
 public:
  // `configuration`: the text of a summa.yaml.
  explicit HostProgram(const std::string& configuration,
                       std::map<std::string, std::string> environment = {});

  // Runs a verb to its end: {"run", "--once"}, {"doctor"}. Captures everything.
  RunResult Run(std::vector<std::string> words) const;
  // The same, and throws with its output when the exit code is not 0. Returns its standard output.
  std::string RunOrThrow(std::vector<std::string> words) const;

  // The words of a command line, with the program before and the configuration behind them.
  std::vector<std::string> Command(std::vector<std::string> words) const;
  const std::map<std::string, std::string>& environment() const { return environment_; }

 private:
  TemporaryFile configuration_;
  std::map<std::string, std::string> environment_;
};

struct HttpAnswer {
  int status = 0;  // 0: nobody answered
  std::string body;
  std::string head = {};
};
// A request over a new connection to 127.0.0.1. headers: whole lines with their "\r\n".
HttpAnswer HttpAsk(int port, const std::string& method, const std::string& path,
                   const std::string& headers = "", const std::string& body = "");

// A summa-host that runs; SIGKILL when the object goes. The configuration must have
// `host: { listen: "127.0.0.1:0" }`.
class RunningHost {
 public:
  explicit RunningHost(const HostProgram& host);
  // `command`: program and arguments.
  RunningHost(std::vector<std::string> command, ProcessOptions options);

  // The port of the endpoint; waits until the host has printed it.
  int Port();
  HttpAnswer Get(const std::string& path) { return HttpAsk(Port(), "GET", path); }
  // Waits until /readyz answers 200.
  void AwaitReady();
  // SIGTERM; returns the exit code.
  int Stop();
  Process& process() { return process_; }

 private:
  Process process_;
};

}  // namespace summa::testkit
