// Runs the real program, the way a shell does.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/services/process.hpp"

namespace summa::test {

// The build that runs the tests.
std::string BinaryDir();

// bin/summa-host of a build.
std::string SummaHostPath(const std::string& build = BinaryDir());

// The directory of a plugin of tests/broken-plugins.
std::string PluginDirectory(const std::string& name);

// Options for a child that sees no configuration, plugin or database of the machine it runs on.
ProcessOptions CleanEnvironment(std::map<std::string, std::string> environment = {});

// Runs to the end; captures everything.
RunResult SummaHost(std::vector<std::string> arguments,
                    std::map<std::string, std::string> environment = {});

// Compares with tests/e2e/golden/NAME; SUMMA_UPDATE_GOLDEN=1 writes it instead. Returns what is
// wrong, empty when nothing is.
std::string CompareGolden(const std::string& name, const std::string& text);

// The value of a scalar member at the top level ("ok" -> "true", "code" -> "SH-0900", null ->
// "null"); nullopt when there is none. Throws when `json` is no JSON object.
std::optional<std::string> JsonMember(const std::string& json, const std::string& name);

struct Answer {
  int status = 0;  // 0: nobody answered
  std::string body;
  std::string head = {};
};
// A request over a new connection to 127.0.0.1. headers: whole lines with their "\r\n".
Answer HttpAsk(int port, const std::string& method, const std::string& path,
               const std::string& headers = "", const std::string& body = "");
// The same for GET.
Answer HttpGet(int port, const std::string& path);

// A summa-host that runs; SIGKILL when the object goes.
class RunningHost {
 public:
  // `arguments` after "run"; the configuration must say port 0.
  RunningHost(std::vector<std::string> arguments,
              std::map<std::string, std::string> environment = {});

  // The port of the endpoint, from the line the host prints at start; waits for it.
  int Port();
  // /status once the host says that it is in this state.
  std::string StatusWhen(const std::string& state);
  Process& process() { return process_; }

 private:
  Process process_;
};

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

}  // namespace summa::test
