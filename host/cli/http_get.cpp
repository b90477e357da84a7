#include "host/cli/http_get.hpp"

#include <curl/curl.h>

#include <memory>

#include "host/error.hpp"

namespace summa::host {
namespace {

// A status of a hundred workers is some 50 KiB; a much larger answer is not a status.
constexpr std::size_t kMaximumBody = std::size_t{16} << 20;

std::size_t AppendBody(char* data, std::size_t size, std::size_t count, void* body_pointer) {
  auto& body = *static_cast<std::string*>(body_pointer);
  if (body.size() + size * count > kMaximumBody) return 0;  // ends the transfer
  body.append(data, size * count);
  return size * count;
}

}  // namespace

HttpAnswer HttpGet(const std::string& url, std::chrono::milliseconds timeout) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (!curl) throw Failure("SH-0901", "the HTTP client could not be created");
  HttpAnswer answer;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, AppendBody);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    throw Failure("SH-0905", std::string("no host answers: ") + curl_easy_strerror(code),
                  "Start the host, or name its address with --url.", url);
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace summa::host
