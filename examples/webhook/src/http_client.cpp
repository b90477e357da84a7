#include "http_client.hpp"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <summa/error.hpp>
#include <utility>

namespace webhook {
namespace {

constexpr std::size_t kKeptBytes = 500;              // of a body, to be shown to people
constexpr std::size_t kMaximumHeadBytes = 64 << 10;  // of all headers of an answer
constexpr long kIdleConnectionSeconds = 60;

long Milliseconds(std::chrono::microseconds time) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return static_cast<long>(std::max<std::int64_t>(rounded, 1));
}

bool HasName(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  return std::equal(name.begin(), name.end(), line.begin(), [](char wanted, char c) {
    return wanted == (c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
}

std::string Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

}  // namespace

struct HttpClient::Multi {
  CURLM* handle = curl_multi_init();
  ~Multi() { curl_multi_cleanup(handle); }
};

class HttpClient::Transfer {
 public:
  Transfer(CURLM* multi, const HttpLimits& limits, std::int64_t id, HttpRequest request)
      : multi_(multi), limits_(limits), id_(id), request_(std::move(request)) {
    easy_ = curl_easy_init();
    if (easy_ == nullptr) throw summa::Error(SUMMA_E_INTERNAL, "", "curl_easy_init failed");
    for (const std::string& header : request_.headers) Append(header);
    // Without this, a large body would wait for "100 Continue".
    Append("Expect:");
    SetRequest();
    SetLimits();
    SetCallbacks();
    curl_multi_add_handle(multi_, easy_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    curl_multi_remove_handle(multi_, easy_);
    curl_easy_cleanup(easy_);
    curl_slist_free_all(headers_);
  }

  std::int64_t id() const { return id_; }
  CURL* easy() const { return easy_; }
  HttpAnswer Answer(CURLcode code);

 private:
  void Append(const std::string& header) {
    curl_slist* longer = curl_slist_append(headers_, header.c_str());
    if (longer != nullptr) headers_ = longer;
  }
  void SetRequest();
  void SetLimits();
  void SetCallbacks();

  static curl_socket_t OpenSocket(void* self, curlsocktype, curl_sockaddr* address);
  static std::size_t TakeHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* self);

  CURLM* const multi_;
  const HttpLimits& limits_;
  const std::int64_t id_;
  const HttpRequest request_;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  char curl_error_[CURL_ERROR_SIZE] = "";
  std::string refused_;  // the address that may not be used, and why
  std::string retry_after_, body_;
  std::size_t head_bytes_ = 0, body_bytes_ = 0;
  bool head_complete_ = false;
};

void HttpClient::Transfer::SetRequest() {
  curl_easy_setopt(easy_, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request_.body.size()));
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.c_str());
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, limits_.user_agent.c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
}

void HttpClient::Transfer::SetLimits() {
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, limits_.allow_http ? "https,http" : "https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_PROXY, "");
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);  // threads
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(limits_.connect_timeout));
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, Milliseconds(limits_.timeout));
  curl_easy_setopt(easy_, CURLOPT_MAXAGE_CONN, kIdleConnectionSeconds);
#if LIBCURL_VERSION_NUM >= 0x075700
  // A name server that does not answer: the thread that asks it is left to end by itself. To wait
  // for it would hold up every other endpoint.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
#endif
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!limits_.ca_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, limits_.ca_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  }
}

void HttpClient::Transfer::SetCallbacks() {
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, curl_error_);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &Transfer::OpenSocket);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Transfer::TakeHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Transfer::TakeBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
}

// Called for every address that a connection is tried to, after its name was resolved. What is asked
// here is what is connected to: no name can be another one in between.
curl_socket_t HttpClient::Transfer::OpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(self);
  try {
    const std::string refusal = transfer->limits_.addresses.Refusal(&address->addr);
    if (refusal.empty()) {
      return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }
    transfer->refused_ = refusal;
  } catch (...) {
    // Without memory, nothing is connected to.
  }
  return CURL_SOCKET_BAD;
}

std::size_t HttpClient::Transfer::TakeHeader(char* data, std::size_t size, std::size_t count,
                                             void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::string_view line(data, size * count);
  transfer->head_bytes_ += line.size();
  if (transfer->head_bytes_ > kMaximumHeadBytes) return 0;
  try {
    constexpr std::string_view kRetryAfter = "retry-after";
    if (HasName(line, kRetryAfter)) {
      transfer->retry_after_ = Trimmed(line.substr(kRetryAfter.size() + 1));
    }
  } catch (...) {
    return 0;
  }
  if (line == "\r\n" || line == "\n") {
    long status = 0;
    curl_easy_getinfo(transfer->easy_, CURLINFO_RESPONSE_CODE, &status);
    transfer->head_complete_ = status >= 200;  // not that of "100 Continue"
  }
  return line.size();
}

std::size_t HttpClient::Transfer::TakeBody(char* data, std::size_t size, std::size_t count,
                                           void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  try {
    if (transfer->body_.size() < kKeptBytes) {
      transfer->body_.append(data, std::min(bytes, kKeptBytes - transfer->body_.size()));
    }
  } catch (...) {
    return 0;
  }
  transfer->body_bytes_ += bytes;
  // Another number than `bytes` ends the transfer.
  return transfer->body_bytes_ > transfer->limits_.max_answer_bytes ? 0 : bytes;
}

// The head decides: whoever has sent it whole has answered, whatever becomes of the body.
HttpAnswer HttpClient::Transfer::Answer(CURLcode code) {
  HttpAnswer answer;
  curl_off_t took = 0;
  curl_easy_getinfo(easy_, CURLINFO_TOTAL_TIME_T, &took);
  answer.took = std::chrono::microseconds(took);
  if (head_complete_) {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    answer.retry_after = retry_after_;
    answer.body = std::move(body_);
    return answer;
  }
  if (!refused_.empty()) {
    answer.error = "its address is refused: " + refused_;
  } else if (head_bytes_ > kMaximumHeadBytes) {
    answer.error = "the headers of its answer have more than 64 KiB";
  } else {
    answer.error = curl_error_[0] != '\0' ? curl_error_ : curl_easy_strerror(code);
  }
  return answer;
}

HttpClient::HttpClient(HttpLimits limits) : limits_(std::move(limits)) {
  if (!limits_.ca_file.empty() && access(limits_.ca_file.c_str(), R_OK) != 0) {
    throw summa::Error(SUMMA_E_CONFIG, "WH-0007", "ca_file " + limits_.ca_file + " cannot be read",
                       "give the path of a PEM file that the user of the host may read");
  }
  // Counted by libcurl, and never undone: others in this process may use it as well.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = std::make_unique<Multi>();
  if (initialised != CURLE_OK || multi_->handle == nullptr) {
    throw summa::Error(SUMMA_E_INTERNAL, "", "libcurl could not be initialised");
  }
}

HttpClient::~HttpClient() { Abort(); }

void HttpClient::Begin(std::int64_t id, HttpRequest request) {
  transfers_[id] = std::make_unique<Transfer>(multi_->handle, limits_, id, std::move(request));
}

std::vector<HttpClient::Finished> HttpClient::Wait(std::chrono::microseconds longest) {
  int running = 0;
  curl_multi_perform(multi_->handle, &running);
  std::vector<Finished> finished = TakeFinished();
  if (!finished.empty() || transfers_.empty()) return finished;
  curl_multi_poll(multi_->handle, nullptr, 0, static_cast<int>(Milliseconds(longest)), nullptr);
  curl_multi_perform(multi_->handle, &running);
  return TakeFinished();
}

std::vector<HttpClient::Finished> HttpClient::TakeFinished() {
  std::vector<Finished> finished;
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_->handle, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    finished.push_back({transfer->id(), transfer->Answer(code)});
    transfers_.erase(transfer->id());  // `message` ends with it
  }
  return finished;
}

void HttpClient::Abort() { transfers_.clear(); }

}  // namespace webhook
