#include "tests/e2e/summa_host.hpp"

#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/services/shared_data.hpp"

namespace summa::test {
namespace {

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string SummaHostPath() {
  const char* directory = std::getenv("SUMMA_BINARY_DIR");
  if (directory == nullptr) throw std::runtime_error("SUMMA_BINARY_DIR is not set: run by ctest");
  return std::string(directory) + "/bin/summa-host";
}

ProcessOptions CleanEnvironment(std::map<std::string, std::string> environment) {
  ProcessOptions options;
  options.without_environment = {"SUMMA_CONFIG",      "SUMMA_PLUGIN_PATH", "DATABASE_URL",
                                 "READ_DATABASE_URL", "REDIS_URL",         "KAFKA_BROKERS"};
  std::erase_if(options.without_environment,
                [&](const std::string& name) { return environment.count(name) != 0; });
  options.environment = std::move(environment);
  options.working_directory = "/";
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

TemporaryFile::TemporaryFile(const std::string& name, const std::string& text) {
  std::string pattern = (std::filesystem::temp_directory_path() / "summa-e2e-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  directory_ = pattern;
  path_ = directory_ + "/" + name;
  std::ofstream(path_) << text;
}

TemporaryFile::~TemporaryFile() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace summa::test
