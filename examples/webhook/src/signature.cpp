#include "signature.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <summa/error.hpp>
#include <vector>

namespace webhook {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::size_t kSecretBytes = 32;

using Bytes = std::vector<unsigned char>;

std::string Base64(std::span<const unsigned char> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP ends it with NUL
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

Bytes SecretBytes(std::string_view secret) {
  if (secret.starts_with(kPrefix)) {
    const std::string_view text = secret.substr(kPrefix.size());
    Bytes bytes(text.size() / 4 * 3 + 1);
    const int size =
        EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                        static_cast<int>(text.size()));
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    if (size > 0 && static_cast<std::size_t>(size) > padding) {
      bytes.resize(static_cast<std::size_t>(size) - padding);
      return bytes;
    }
  }
  throw summa::Error(SUMMA_E_DATA, "",
                     "a row of webhook.secret has no secret of the form whsec_...",
                     "run `summa-host webhook rotate ID --at-once`");
}

}  // namespace

std::string NewSecret() {
  std::array<unsigned char, kSecretBytes> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw summa::Error(SUMMA_E_INTERNAL, "", "OpenSSL has no random bytes for a secret");
  }
  return std::string(kPrefix) + Base64(bytes);
}

std::string Signatures(std::span<const std::string> secrets, std::string_view id,
                       std::int64_t timestamp_seconds, std::string_view body) {
  if (secrets.empty()) {
    throw summa::Error(SUMMA_E_DATA, "", "the endpoint has no row in webhook.secret that signs",
                       "run `summa-host webhook rotate ID --at-once`");
  }
  std::string signed_text(id);
  signed_text.append(".").append(std::to_string(timestamp_seconds)).append(".").append(body);
  std::string header;
  for (const std::string& secret : secrets) {
    const Bytes key = SecretBytes(secret);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(),
             digest.data(), &size) == nullptr) {
      throw summa::Error(SUMMA_E_INTERNAL, "", "OpenSSL cannot compute an HMAC-SHA256");
    }
    header.append(header.empty() ? "v1," : " v1,").append(Base64({digest.data(), size}));
  }
  return header;
}

}  // namespace webhook
