#include "tests/e2e/summa_host.hpp"

#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string BinaryDir() {
  const char* directory = std::getenv("SUMMA_BINARY_DIR");
  if (directory == nullptr) throw std::runtime_error("SUMMA_BINARY_DIR is not set: run by ctest");
  return directory;
}

std::string SummaHostPath(const std::string& build) { return build + "/bin/summa-host"; }

std::string PluginDirectory(const std::string& name) {
  return BinaryDir() + "/tests/broken-plugins/" + name;
}

ProcessOptions CleanEnvironment(std::map<std::string, std::string> environment) {
  const bool with_plugins = environment.count("SUMMA_PLUGIN_PATH") != 0;
  ProcessOptions options = testkit::CleanEnvironment(std::move(environment));
  if (!with_plugins) options.without_environment.emplace_back("SUMMA_PLUGIN_PATH");
  return options;
}

RunResult SummaHost(std::vector<std::string> arguments,
                    std::map<std::string, std::string> environment) {
  arguments.insert(arguments.begin(), SummaHostPath());
  return RunProgram(std::move(arguments), CleanEnvironment(std::move(environment)));
}

std::string CompareGolden(const std::string& name, const std::string& text) {
  const std::filesystem::path path = SourceDir() + "/tests/e2e/golden/" + name;
  if (std::getenv("SUMMA_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return {};
  }
  if (!std::filesystem::exists(path)) {
    return path.string() + " is missing; SUMMA_UPDATE_GOLDEN=1 writes it";
  }
  const std::string expected = Read(path);
  if (expected == text) return {};
  return "differs from " + path.string() + " (SUMMA_UPDATE_GOLDEN=1 rewrites it)\n--- expected\n" +
         expected + "--- found\n" + text;
}

std::optional<std::string> JsonMember(const std::string& json, const std::string& name) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::object object;
  if (parser.parse(padded).get(object)) throw std::runtime_error("no JSON object: " + json);
  simdjson::dom::element value;
  if (object.at_key(name).get(value)) return std::nullopt;
  std::string_view text;
  if (!value.get(text)) return std::string(text);
  return std::string(simdjson::minify(value));
}

Answer HttpGet(int port, const std::string& path) { return HttpAsk(port, "GET", path); }

RunningHost::RunningHost(std::vector<std::string> arguments,
                         std::map<std::string, std::string> environment)
    : testkit::RunningHost(
          [&] {
            arguments.insert(arguments.begin(), {SummaHostPath(), "run"});
            return std::move(arguments);
          }(),
          CleanEnvironment(std::move(environment))) {}

std::string RunningHost::StatusWhen(const std::string& state) {
  const int port = Port();
  Answer answer;
  WaitUntil(
      [&] {
        answer = HttpGet(port, "/status");
        return answer.status == 200 && JsonMember(answer.body, "state") == state;
      },
      kTimeout, "state \"" + state + "\"; log: " + process().Stderr());
  return answer.body;
}

}  // namespace summa::test
