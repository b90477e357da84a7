// Who may call routes that need a token (decision 0045). Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "host/http/http_message.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

// Whether only this machine can reach an address: "127.0.0.1", "::1", "localhost".
bool IsLoopback(const std::string& address);

class HttpAccess {
 public:
  // token_file: empty: there is none, and only what comes from this machine may call. Throws
  // Failure SH-0377 when the file cannot be used.
  HttpAccess(std::string token_file, bool loopback);

  // Reads the file again. Throws Failure SH-0377, and the old token stays in force. True: it is
  // another one.
  bool Reload();
  // Throws HttpProblem: 401 for a token that is missing or wrong, 403 without a file.
  void Check(const HttpRequest& request) const;

 private:
  const std::string file_;  // empty: none
  const bool loopback_;
  mutable Mutex mutex_;
  std::string token_ SUMMA_GUARDED_BY(mutex_);
};

// Takes a time that depends on the length of `secret` only.
bool SameInConstantTime(std::string_view given, std::string_view secret);

}  // namespace summa::host
