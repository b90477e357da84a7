// Signatures and secrets of the Standard Webhooks specification.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace webhook {

// "whsec_" and 32 random bytes in base64. Throws when the system has no random numbers.
std::string NewSecret();

// The value of the header webhook-signature: "v1," and the HMAC-SHA256 of "ID.TIMESTAMP.BODY" in
// base64, once for each secret, separated by blanks. Throws summa::Error when a secret is none.
std::string Signatures(std::span<const std::string> secrets, std::string_view id,
                       std::int64_t timestamp_seconds, std::string_view body);

}  // namespace webhook
