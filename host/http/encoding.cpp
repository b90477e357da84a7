#include "host/http/encoding.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>

#include "host/config/text.hpp"

namespace summa::host {
namespace {

// A shorter text fits into one packet as it is.
constexpr std::size_t kMinToCompress = 1400;
// Texts shrink to a fifth at the fastest level already.
constexpr int kLevel = Z_BEST_SPEED;
constexpr int kGzipWindow = 15 + 16;  // the greatest window, in the form of gzip
constexpr int kMemoryLevel = 8;       // zlib's own default

std::string_view Trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

// Whether `see` is true of an item of a list of a header.
template <typename See>
bool AnyItem(std::string_view list, See see) {
  const auto items = Split(list, ',');
  return std::any_of(items.begin(), items.end(),
                     [&](std::string_view item) { return see(Trim(item)); });
}

// "gzip", "gzip;q=0.5", but not "gzip;q=0".
bool TakesGzip(std::string_view accepted) {
  return AnyItem(accepted, [](std::string_view item) {
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    if (Trim(item.substr(0, semicolon)) != "gzip") return false;
    std::string_view weight = Trim(item.substr(std::min(semicolon + 1, item.size())));
    if (!weight.starts_with("q=")) return true;
    weight.remove_prefix(2);
    return weight.find_first_not_of("0.") != weight.npos;
  });
}

bool IsText(std::string_view type) {
  return type.starts_with("text/") || type.starts_with("application/json");
}

// Empty: it could not be compressed, or would not be shorter.
std::string Gzip(const std::string& text) {
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return {};
  }
  std::string out(text.size(), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return result == Z_STREAM_END ? out : std::string();
}

// Weak: the compressed form has the same.
std::string EtagOf(const std::string& body) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "W/\"%016llx-%zx\"",
                static_cast<unsigned long long>(std::hash<std::string>{}(body)), body.size());
  return text.data();
}

std::string_view WithoutWeakness(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  return etag;
}

// If-None-Match names it, or anything.
bool Has(std::string_view wanted, std::string_view etag) {
  return AnyItem(wanted, [etag](std::string_view item) {
    return item == "*" || WithoutWeakness(item) == WithoutWeakness(etag);
  });
}

}  // namespace

void Shorten(const HttpRequest& request, bool revalidates, HttpResponse& response) {
  if (response.status != 200) return;
  if (request.method == "GET" && (revalidates || !response.etag.empty())) {
    if (response.etag.empty()) response.etag = EtagOf(response.body);
    if (Has(request.Header("if-none-match"), response.etag)) {
      response.status = 304;
      response.body.clear();
      return;
    }
  }
  if (response.body.size() < kMinToCompress || !IsText(response.content_type)) return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (!TakesGzip(request.Header("accept-encoding"))) return;
  std::string shorter = Gzip(response.body);
  if (shorter.empty()) return;
  response.body = std::move(shorter);
  response.headers.emplace_back("Content-Encoding", "gzip");
}

}  // namespace summa::host
