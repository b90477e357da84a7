// Runs the real program, the way a shell does.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <summa/testkit/host_program.hpp>
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

using Answer = testkit::HttpAnswer;
using testkit::HttpAsk;
// The same for GET.
Answer HttpGet(int port, const std::string& path);

// A summa-host of this build that runs.
class RunningHost : public testkit::RunningHost {
 public:
  // `arguments` after "run"; the configuration must say port 0.
  RunningHost(std::vector<std::string> arguments,
              std::map<std::string, std::string> environment = {});

  // /status once the host says that it is in this state.
  std::string StatusWhen(const std::string& state);
};

using testkit::TemporaryFile;

}  // namespace summa::test
