// POST requests to strangers, many at the same time, with libcurl.
//
// A receiver gets no trust: the address is checked after its name was resolved, for every
// connection; redirects are not followed; TLS is verified; what is read of an answer is bounded; the
// proxy of the environment is not used, since it would connect on our behalf to anywhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "address.hpp"

namespace webhook {

struct HttpLimits {
  std::chrono::microseconds connect_timeout{5'000'000};
  std::chrono::microseconds timeout{20'000'000};
  std::size_t max_answer_bytes = 64 << 10;
  bool allow_http = false;
  AddressRules addresses;
  std::string ca_file;  // empty: those that the machine trusts
  std::string user_agent = "summa-webhook";
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  // "name: value"
  std::string body;
};

struct HttpAnswer {
  int status = 0;           // 0: there was no complete head of an answer
  std::string error;        // why there was none; else empty
  std::string retry_after;  // that header, as it came
  std::string body;         // the beginning of it
  std::chrono::microseconds took{0};
};

// One thread at a time.
class HttpClient {
 public:
  // Throws summa::Error WH-0007 when ca_file cannot be read.
  explicit HttpClient(HttpLimits limits);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  // `id` must not be in flight.
  void Begin(std::int64_t id, HttpRequest request);
  // Goes on with all requests, and waits up to `longest` for the first one that ends. Returns those
  // that have ended, in that order.
  struct Finished {
    std::int64_t id;
    HttpAnswer answer;
  };
  std::vector<Finished> Wait(std::chrono::microseconds longest);
  // Ends every request without an answer. The receivers may have got them.
  void Abort();
  std::size_t in_flight() const { return transfers_.size(); }

  class Transfer;  // one request; for the callbacks of libcurl

 private:
  struct Multi;
  std::vector<Finished> TakeFinished();

  const HttpLimits limits_;
  std::unique_ptr<Multi> multi_;
  std::map<std::int64_t, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace webhook
