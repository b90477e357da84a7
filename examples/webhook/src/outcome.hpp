// What follows from an answer: pure decisions, without clock, network or database.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <summa/backoff.hpp>
#include <summa/time.hpp>

#include "http_client.hpp"

namespace webhook {

using Microseconds = std::chrono::microseconds;

// The value of Retry-After: seconds, or a date, which is compared with `now`. nullopt: it is neither.
std::optional<Microseconds> ParseRetryAfter(std::string_view text, summa::UnixTime now);

struct Judgement {
  enum class Kind { kAccepted, kGone, kFailed };
  Kind kind = Kind::kFailed;
  bool counts = true;    // as an attempt: not when the endpoint asks for a pause
  Microseconds hold{0};  // nothing is sent to the endpoint for so long
  std::string error;     // for people; empty when accepted
};

// 2xx: accepted. 410: gone. Everything else has failed, redirects included.
Judgement Judge(const HttpAnswer& answer, summa::UnixTime now, Microseconds longest_hold);

struct RetryRules {
  Microseconds first, longest, give_up_after;
  std::int64_t max_attempts;
};

// The pause before the next attempt; nullopt: it is given up. `attempts`: that have counted, this one
// included. `age`: since the first attempt.
std::optional<Microseconds> NextAttempt(
    const RetryRules& rules, std::int64_t attempts, Microseconds age,
    const summa::Backoff::Random& random = summa::RandomFraction);

struct CircuitRules {
  std::int64_t failures;
  Microseconds first, longest;
};

// The circuit of one endpoint. Closed: everything that is due is sent. After some failures in a row
// it opens: nothing is sent for a while, then one delivery. When that is accepted it closes.
struct Circuit {
  std::int64_t failures = 0;  // since something was accepted
  std::int64_t openings = 0;  // since then; 0: closed

  // `begun_at`: the openings when the request began. What began before the circuit opened does not
  // open it again. Returns how long the endpoint is left alone, zero: not because of this one.
  Microseconds Failed(const CircuitRules& rules, std::int64_t begun_at,
                      const summa::Backoff::Random& random = summa::RandomFraction);
  void Accepted() { failures = openings = 0; }
};

}  // namespace webhook
