#include "host/http/access.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "host/error.hpp"

namespace summa::host {
namespace {

// Shorter ones can be guessed; longer ones are some other file.
constexpr std::size_t kShortestToken = 16, kLongestToken = 4096;
constexpr std::string_view kBearer = "Bearer ";

[[noreturn]] void RefuseFile(const std::string& file, const std::string& problem) {
  throw Failure("SH-0377", "host.token_file " + file + " cannot be used: " + problem,
                "Write one line of 16 to 4096 visible characters without spaces into it, for "
                "example the output of `openssl rand -hex 32`.",
                "host.token_file");
}

std::string ReadToken(const std::string& file) {
  std::error_code unreadable;
  const auto status = std::filesystem::status(file, unreadable);
  // A pipe could block the host forever.
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    RefuseFile(file, "it is not a regular file");
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) RefuseFile(file, std::strerror(errno));
  std::string token(kLongestToken + 2, '\0');
  stream.read(token.data(), static_cast<std::streamsize>(token.size()));
  if (stream.bad()) RefuseFile(file, "it cannot be read");
  token.resize(static_cast<std::size_t>(stream.gcount()));
  if (!token.empty() && token.back() == '\n') token.pop_back();
  if (!token.empty() && token.back() == '\r') token.pop_back();
  if (token.size() < kShortestToken) RefuseFile(file, "the token has fewer than 16 characters");
  if (token.size() > kLongestToken) RefuseFile(file, "the token has more than 4096 characters");
  const auto visible = [](char c) { return c > ' ' && c < 0x7F; };
  if (!std::all_of(token.begin(), token.end(), visible)) {
    RefuseFile(file, "the token contains spaces, line breaks or non-ASCII characters");
  }
  return token;
}

// A web page in a browser on this machine reaches the listener as well. Browsers mark such
// requests.
bool IsFromBrowser(const HttpRequest& request) {
  const std::string_view site = request.Header("sec-fetch-site");
  return !request.Header("origin").empty() || !(site.empty() || site == "none");
}

[[noreturn]] void RefuseToken() {
  HttpProblem problem(401, "SH-0376",
                      "this path requires the header \"Authorization: Bearer TOKEN\" with the "
                      "token of host.token_file");
  problem.response.headers.emplace_back("WWW-Authenticate", "Bearer");
  throw problem;
}

}  // namespace

bool IsLoopback(const std::string& address) {
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  return address == "localhost";
}

bool SameInConstantTime(std::string_view given, std::string_view secret) {
  volatile unsigned char difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const char other = given.empty() ? '\0' : given[i % given.size()];
    difference = static_cast<unsigned char>(difference | (secret[i] ^ other));
  }
  return difference == 0;
}

HttpAccess::HttpAccess(std::string token_file, bool loopback)
    : file_(std::move(token_file)), loopback_(loopback) {
  if (!file_.empty()) token_ = ReadToken(file_);
}

bool HttpAccess::Reload() {
  if (file_.empty()) return false;
  std::string token = ReadToken(file_);
  const MutexLock lock(mutex_);
  const bool changed = token != token_;
  token_ = std::move(token);
  return changed;
}

void HttpAccess::Check(const HttpRequest& request) const {
  if (file_.empty()) {
    if (!loopback_) {
      throw HttpProblem(403, "SH-0376",
                        "this path requires a token when other machines can reach the host, and "
                        "host.token_file is not set");
    }
    if (!IsFromBrowser(request)) return;
    throw HttpProblem(403, "SH-0376",
                      "this path requires a token for web pages, and host.token_file is not set");
  }
  std::string_view given = request.Header("authorization");
  if (!given.starts_with(kBearer)) RefuseToken();
  given.remove_prefix(kBearer.size());
  const MutexLock lock(mutex_);
  if (!SameInConstantTime(given, token_)) RefuseToken();
}

}  // namespace summa::host
