// TLS over a connected socket, by OpenSSL itself: hiredis has it only from 1.0 on, and Debian 12
// ships 0.14.
//
// Nothing waits here: a call that cannot go on says what the socket must become. The server's
// certificate is always verified, for its name or address.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace summa::bus_redis {

struct TlsOptions {
  std::string ca_file;           // PEM; empty: what the machine trusts
  std::string certificate_file;  // PEM chain of ours, with key_file; empty: none is shown
  std::string key_file;
};

// What is to be waited for.
enum class TlsNeed { kNothing, kReadable, kWritable, kClosed };

// Throws summa::Error SUMMA_E_CONFIG with SH-0614 for files that cannot be used.
void CheckTlsFiles(const TlsOptions& options);

// One thread at a time. Throws std::runtime_error with the reason.
class TlsStream {
 public:
  // Borrows the socket, which must not block.
  TlsStream(int socket, const std::string& host, const TlsOptions& options);

  // kNothing: done. Throws when it failed for good.
  TlsNeed Handshake();
  // Adds what has arrived to `received`. kReadable: that was all.
  TlsNeed Read(std::string& received);
  // Sends from the front of `text` and takes it away. kNothing: all of it.
  TlsNeed Write(std::string& text);

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  TlsNeed NeedAfter(int result);

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace summa::bus_redis
