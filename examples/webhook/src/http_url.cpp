#include "http_url.hpp"

#include <curl/curl.h>

#include <memory>
#include <optional>
#include <summa/error.hpp>

namespace webhook {
namespace {

constexpr std::size_t kMaximumBytes = 2000;

class Url {
 public:
  explicit Url(const std::string& text) : url_(curl_url()) {
    ok_ = url_ != nullptr && curl_url_set(url_.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  }
  bool ok() const { return ok_; }
  std::optional<std::string> Part(CURLUPart part) const {
    char* text = nullptr;
    if (curl_url_get(url_.get(), part, &text, 0) != CURLUE_OK) return std::nullopt;
    std::string copy(text);
    curl_free(text);
    return copy;
  }

 private:
  struct Free {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
  };
  std::unique_ptr<CURLU, Free> url_;
  bool ok_ = false;
};

[[noreturn]] void Refuse(const std::string& url, const std::string& why, const std::string& hint) {
  throw summa::Error(SUMMA_E_USAGE, "WH-0002", "the address " + url + " " + why, hint);
}

}  // namespace

void CheckUrl(const std::string& url, bool allow_http, const AddressRules& rules) {
  const Url parts(url.size() <= kMaximumBytes ? url : "");
  // libcurl would take the path for the host.
  const bool hostless = url.find(":///") != std::string::npos;
  if (!parts.ok() || hostless)
    Refuse(url.substr(0, kMaximumBytes), "is not an address", "https://HOST/PATH");
  const std::string scheme = parts.Part(CURLUPART_SCHEME).value_or("");
  if (scheme != "https" && !(allow_http && scheme == "http")) {
    Refuse(url, "does not begin with https://",
           "events and their signatures must not be readable on the way");
  }
  if (parts.Part(CURLUPART_USER) || parts.Part(CURLUPART_PASSWORD)) {
    Refuse(url, "has a user or password", "the receiver knows the sender by the signature");
  }
  if (parts.Part(CURLUPART_FRAGMENT)) Refuse(url, "has a fragment", "leave out #...");
  std::string host = parts.Part(CURLUPART_HOST).value_or("");
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const std::optional<AddressBytes> literal = ParseAddress(host);
  const std::string refusal = literal ? rules.Refusal(*literal) : "";
  if (!refusal.empty()) {
    Refuse(url, "is refused: " + AddressText(*literal) + " is " + refusal,
           "name the network under plugins.webhook.allow_networks if that is meant");
  }
}

}  // namespace webhook
