// What the paths over HTTP need. Without the database.
#include <sys/stat.h>

#include <cstdio>

#include "host/doctor/checks.hpp"
#include "host/http/access.hpp"

namespace summa::host {
namespace {

constexpr const char* kCheck = "token-file";

std::string Octal(mode_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

Finding CheckFile(const Settings& settings) {
  const std::string& file = settings.token_file;
  try {
    const HttpAccess access(file, settings.loopback);
  } catch (const Failure& failure) {
    return {kCheck, Severity::kError, failure.error().code + " " + failure.error().message,
            "one line of 16 to 4096 visible characters, readable by the user of the host",
            failure.error().hint};
  }
  struct stat status {};
  if (stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return {kCheck, Severity::kWarning,
            file + " has mode " + Octal(status.st_mode) +
                ": every user of this machine can read or change the token",
            "access for its owner and group only", "chmod o= " + file};
  }
  return {kCheck, Severity::kOk, file + " holds a token", "", ""};
}

}  // namespace

Finding CheckTokenFile(const Settings& settings) {
  if (!settings.token_file.empty()) return CheckFile(settings);
  return {kCheck, Severity::kOk,
          settings.loopback ? "not set: paths that need a token are for this machine only"
                            : "not set: paths that need a token are not served",
          "", ""};
}

}  // namespace summa::host
