#include "plugins/bus-redis/tls.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>
#include <stdexcept>
#include <summa/error.hpp>

namespace summa::bus_redis {
namespace {

// One record of TLS, the most that one SSL_read gives.
constexpr std::size_t kRecordBytes = std::size_t{16} << 10;

std::string OpenSslError(std::string otherwise) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return otherwise;
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? otherwise : reason;
}

[[noreturn]] void RefuseFile(const std::string& key, const std::string& path) {
  throw std::runtime_error("plugins.bus-redis." + key + ": " + path +
                           " cannot be used: " + OpenSslError("it cannot be read"));
}

void Load(SSL_CTX* context, const TlsOptions& options) {
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
    RefuseFile("tls_ca_file", options.ca_file);
  }
  if (options.certificate_file.empty()) return;
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    RefuseFile("tls_certificate_file", options.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    RefuseFile("tls_key_file", options.key_file);
  }
}

}  // namespace

void CheckTlsFiles(const TlsOptions& options) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             &SSL_CTX_free);
  try {
    if (context) Load(context.get(), options);
  } catch (const std::runtime_error& failure) {
    throw Error(SUMMA_E_CONFIG, "SH-0614", failure.what(),
                "give the path of a PEM file that this account may read");
  }
}

TlsStream::TlsStream(int socket, const std::string& host, const TlsOptions& options)
    : context_(SSL_CTX_new(TLS_client_method())) {
  if (!context_) throw std::runtime_error(OpenSslError("no memory for TLS"));
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  // What is written may move in memory between two attempts, and may be sent in parts.
  SSL_CTX_set_mode(context_.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  Load(context_.get(), options);
  ssl_.reset(SSL_new(context_.get()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), socket) != 1) {
    throw std::runtime_error(OpenSslError("no memory for TLS"));
  }
  // An address is looked for among the addresses of the certificate, a name among its names.
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) != 1) {
    SSL_set1_host(ssl_.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  }
  ERR_clear_error();
}

TlsNeed TlsStream::Handshake() {
  ERR_clear_error();
  const int result = SSL_connect(ssl_.get());
  if (result == 1) return TlsNeed::kNothing;
  const TlsNeed need = NeedAfter(result);
  if (need != TlsNeed::kClosed) return need;
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) {
    ERR_clear_error();
    throw std::runtime_error(std::string("the certificate of the server is not accepted: ") +
                             X509_verify_cert_error_string(verified));
  }
  throw std::runtime_error("TLS: " + OpenSslError("the server closed the connection"));
}

TlsNeed TlsStream::Read(std::string& received) {
  std::array<char, kRecordBytes> buffer;
  for (;;) {
    ERR_clear_error();
    const int result = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (result <= 0) return NeedAfter(result);
    received.append(buffer.data(), static_cast<std::size_t>(result));
  }
}

TlsNeed TlsStream::Write(std::string& text) {
  std::size_t sent = 0;
  TlsNeed need = TlsNeed::kNothing;
  while (sent < text.size() && need == TlsNeed::kNothing) {
    ERR_clear_error();
    const std::size_t left = std::min<std::size_t>(text.size() - sent, INT_MAX);
    const int result = SSL_write(ssl_.get(), text.data() + sent, static_cast<int>(left));
    if (result > 0) {
      sent += static_cast<std::size_t>(result);
    } else {
      need = NeedAfter(result);
    }
  }
  text.erase(0, sent);
  return need;
}

TlsNeed TlsStream::NeedAfter(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return TlsNeed::kReadable;
    case SSL_ERROR_WANT_WRITE:
      return TlsNeed::kWritable;
    default:
      return TlsNeed::kClosed;
  }
}

}  // namespace summa::bus_redis
