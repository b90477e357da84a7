#include "tests/e2e/summa_host.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

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

Answer HttpGet(int port, const std::string& path) { return HttpAsk(port, "GET", path); }

Answer HttpAsk(int port, const std::string& method, const std::string& path,
               const std::string& headers, const std::string& body) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string text;
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    std::string request = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
    if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    request += "Connection: close\r\n\r\n" + body;
    if (write(connection, request.data(), request.size()) > 0) {
      char buffer[4096];
      for (ssize_t size; (size = read(connection, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(size));
      }
    }
  }
  close(connection);
  Answer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (text.size() < 12 || end == std::string::npos) return answer;
  answer.status = std::stoi(text.substr(9, 3));
  answer.head = text.substr(0, end + 2);
  answer.body = text.substr(end + 4);
  return answer;
}

RunningHost::RunningHost(std::vector<std::string> arguments,
                         std::map<std::string, std::string> environment)
    : process_(
          [&] {
            arguments.insert(arguments.begin(), {SummaHostPath(), "run"});
            return std::move(arguments);
          }(),
          CleanEnvironment(std::move(environment))) {}

int RunningHost::Port() {
  const std::string mark = "127.0.0.1:";
  std::size_t at = std::string::npos;
  WaitUntil(
      [&] {
        const std::string text = process_.Stderr();
        at = text.find(mark, std::min(text.size(), text.find("listening")));
        return (at != std::string::npos && text.find('\n', at) != std::string::npos) ||
               !process_.Running();
      },
      kTimeout, "the address of the endpoint");
  if (at == std::string::npos) throw std::runtime_error("ended: " + process_.Stderr());
  return std::stoi(process_.Stderr().substr(at + mark.size()));
}

std::string RunningHost::StatusWhen(const std::string& state) {
  const int port = Port();
  Answer answer;
  WaitUntil(
      [&] {
        answer = HttpGet(port, "/status");
        return answer.status == 200 && JsonMember(answer.body, "state") == state;
      },
      kTimeout, "state \"" + state + "\"; log: " + process_.Stderr());
  return answer.body;
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
