#include "host/database/url_mistakes.hpp"

#include <libpq-fe.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace summa::host {
namespace {

constexpr const char* kFiles[] = {"sslrootcert", "sslcert", "sslkey", "sslcrl"};
constexpr int kSystemRoots = 160000;  // the libpq that knows sslrootcert=system

bool IsSocket(const std::string& host) {
  return host.empty() || host.front() == '/' || host.front() == '@';
}

bool CanBeHost(const std::string& host) {
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c >= 0x80 || std::strchr(".-_:%", c) != nullptr;
  });
}

std::optional<UrlMistake> CheckHosts(const ConnectionParameters& parameters) {
  const std::vector<std::string> hosts = GetList(parameters, "host");
  for (const std::string& host : hosts) {
    if (host.empty() && hosts.size() > 1 && Get(parameters, "hostaddr").empty()) {
      return UrlMistake{"host", "one of the hosts has no name",
                        "Remove the comma, or name the host"};
    }
    if (IsSocket(host) || CanBeHost(host)) continue;
    return UrlMistake{"host", "a host contains a character that is not allowed in a name",
                      "Write special characters of the password as %XX: %40 for @, %23 for #, %2F "
                      "for /, %3F for ?"};
  }
  return std::nullopt;
}

std::optional<UrlMistake> CheckDatabase(const ConnectionParameters& parameters) {
  const std::string database = Get(parameters, "dbname");
  const std::size_t separator = database.find('&');
  if (separator == std::string::npos || database.find('=', separator) == std::string::npos) {
    return std::nullopt;
  }
  return UrlMistake{"dbname", "dbname contains parameters",
                    "Write ? before the first parameter, & between them"};
}

std::optional<UrlMistake> CheckSession(const ConnectionParameters& parameters) {
  if (Get(parameters, "replication").empty()) return std::nullopt;
  return UrlMistake{"replication",
                    "replication is set, and such a session cannot run statements with parameters",
                    "Remove it"};
}

std::optional<UrlMistake> CheckFile(const std::string& parameter, const std::string& file) {
  if (access(file.c_str(), R_OK) == 0) return std::nullopt;
  return UrlMistake{
      parameter,
      parameter + " names a file that cannot be read: " + file + ": " + std::strerror(errno),
      "Correct the path, or let this user read the file"};
}

bool HomeHas(const std::string& file) {
  const char* home = std::getenv("HOME");
  const passwd* user = getpwuid(geteuid());
  const char* own = user == nullptr ? nullptr : user->pw_dir;
  for (const char* directory : {home, own}) {
    if (directory != nullptr && access((directory + file).c_str(), R_OK) == 0) return true;
  }
  return false;
}

std::optional<UrlMistake> CheckFiles(const ConnectionParameters& parameters) {
  const std::vector<std::string> hosts = GetList(parameters, "host");
  const std::string mode = Get(parameters, "sslmode");
  const bool tls = mode != "disable" &&
                   (!Get(parameters, "hostaddr").empty() ||
                    !std::all_of(hosts.begin(), hosts.end(), IsSocket));  // sockets have no TLS
  for (const std::string parameter : kFiles) {
    const std::string file = Get(parameters, parameter);
    if (file.empty() || !tls) continue;
    const bool system = parameter == "sslrootcert" && file == "system";
    const bool engine = parameter == "sslkey" && file.find(':') != std::string::npos;
    if (engine || (system && PQlibVersion() >= kSystemRoots)) continue;
    if (auto error = CheckFile(parameter, file)) return error;
  }
  constexpr std::string_view kRoots = "/.postgresql/root.crt";
  const bool roots = !Get(parameters, "sslrootcert").empty();
  if (!tls || !mode.starts_with("verify-") || roots || HomeHas(std::string(kRoots))) {
    return std::nullopt;
  }
  return UrlMistake{"sslmode",
                    "sslmode is \"" + mode + "\", and there are no certificates to verify with: ~" +
                        std::string(kRoots) + " does not exist",
                    "Write sslrootcert=FILE"};
}

}  // namespace

std::optional<UrlMistake> FindUrlMistake(const ConnectionParameters& given,
                                         const ConnectionParameters& effective) {
  if (auto error = CheckHosts(effective)) return error;
  if (auto error = CheckDatabase(effective)) return error;
  if (auto error = CheckSession(effective)) return error;
  // One that libpq looks for by itself need not be there.
  if (const std::string file = Get(given, "passfile"); !file.empty()) {
    if (auto error = CheckFile("passfile", file)) return error;
  }
  return CheckFiles(effective);
}

}  // namespace summa::host
