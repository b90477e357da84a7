#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <summa/testkit/host_program.hpp>
#include <summa/testkit/wait_until.hpp>
#include <system_error>

namespace summa::testkit {
namespace {

// The line that the host prints at start, up to the port.
constexpr char kListening[] = "listening";
constexpr char kAddress[] = "127.0.0.1:";

std::string ProgramPath() {
  const char* chosen = std::getenv("SUMMA_HOST_PROGRAM");
  return chosen == nullptr || *chosen == '\0' ? "summa-host" : chosen;
}

HttpAnswer Parse(const std::string& text) {
  constexpr std::size_t kStatusBegin = 9, kStatusEnd = 12;  // "HTTP/1.1 200"
  HttpAnswer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (text.size() < kStatusEnd || end == std::string::npos) return answer;
  answer.status = std::stoi(text.substr(kStatusBegin, kStatusEnd - kStatusBegin));
  answer.head = text.substr(0, end + 2);
  answer.body = text.substr(end + 4);
  return answer;
}

}  // namespace

TemporaryFile::TemporaryFile(const std::string& name, const std::string& text) {
  std::string pattern = (std::filesystem::temp_directory_path() / "summa-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  directory_ = pattern;
  path_ = directory_ + "/" + name;
  std::ofstream(path_) << text;
}

TemporaryFile::~TemporaryFile() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

ProcessOptions CleanEnvironment(std::map<std::string, std::string> environment) {
  ProcessOptions options;
  options.without_environment = {"SUMMA_CONFIG", "DATABASE_URL", "READ_DATABASE_URL", "REDIS_URL",
                                 "KAFKA_BROKERS"};
  std::erase_if(options.without_environment,
                [&](const std::string& name) { return environment.count(name) != 0; });
  options.environment = std::move(environment);
  options.working_directory = "/";
  return options;
}

HostProgram::HostProgram(const std::string& configuration,
                         std::map<std::string, std::string> environment)
    : configuration_("summa.yaml", configuration), environment_(std::move(environment)) {}

std::vector<std::string> HostProgram::Command(std::vector<std::string> words) const {
  words.insert(words.begin(), ProgramPath());
  words.insert(words.end(), {"-c", configuration_.Path()});
  return words;
}

RunResult HostProgram::Run(std::vector<std::string> words) const {
  return RunProgram(Command(std::move(words)), CleanEnvironment(environment_));
}

std::string HostProgram::RunOrThrow(std::vector<std::string> words) const {
  return testkit::RunOrThrow(Command(std::move(words)), CleanEnvironment(environment_)).out;
}

HttpAnswer HttpAsk(int port, const std::string& method, const std::string& path,
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
  return Parse(text);
}

RunningHost::RunningHost(const HostProgram& host)
    : process_(host.Command({"run"}), CleanEnvironment(host.environment())) {}

RunningHost::RunningHost(std::vector<std::string> command, ProcessOptions options)
    : process_(std::move(command), std::move(options)) {}

int RunningHost::Port() {
  std::size_t at = std::string::npos;
  WaitUntil(
      [&] {
        const std::string text = process_.Stderr();
        at = text.find(kAddress, std::min(text.size(), text.find(kListening)));
        return (at != std::string::npos && text.find('\n', at) != std::string::npos) ||
               !process_.Running();
      },
      kTimeout, "the address of the endpoint");
  if (at == std::string::npos) throw std::runtime_error("ended: " + process_.Stderr());
  return std::stoi(process_.Stderr().substr(at + sizeof kAddress - 1));
}

void RunningHost::AwaitReady() {
  HttpAnswer answer;
  const bool ready = BecomesTrue([&] {
    answer = Get("/readyz");
    return answer.status == 200 || !process_.Running();
  });
  if (ready && process_.Running()) return;
  throw std::runtime_error("the host did not become ready: " + answer.body + "\n" +
                           process_.Stderr());
}

int RunningHost::Stop() {
  process_.Signal(SIGTERM);
  return process_.WaitOrKill(kTimeout);
}

}  // namespace summa::testkit
