#include "outcome.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace webhook {
namespace {

constexpr int kGone = 410;
constexpr int kFirstRedirect = 300, kFirstError = 400;
constexpr std::size_t kShownBytes = 200;

// The beginning of a body, as one line of printable ASCII: it comes from a stranger.
std::string Shown(std::string_view body) {
  std::string shown;
  for (const char c : body.substr(0, kShownBytes)) shown += c >= ' ' && c <= '~' ? c : ' ';
  shown.erase(shown.find_last_not_of(' ') + 1);
  return shown;
}

std::string ErrorOf(const HttpAnswer& answer) {
  if (answer.status == 0) return answer.error;
  std::string text = "HTTP " + std::to_string(answer.status);
  if (answer.status >= kFirstRedirect && answer.status < kFirstError) {
    text += ": redirects are not followed";
  }
  const std::string shown = Shown(answer.body);
  return shown.empty() ? text : text + ": " + shown;
}

}  // namespace

std::optional<Microseconds> ParseRetryAfter(std::string_view text, summa::UnixTime now) {
  if (text.empty()) return std::nullopt;
  // More is as good as for ever, and overflows nothing.
  constexpr std::int64_t kMostSeconds = 1'000'000'000;
  std::int64_t seconds = 0;
  const auto [end, failure] = std::from_chars(text.begin(), text.end(), seconds);
  if (end == text.end() && failure == std::errc{}) {
    return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kMostSeconds));
  }
  if (end == text.end() && failure == std::errc::result_out_of_range) {
    return std::chrono::seconds(kMostSeconds);
  }
  const time_t date = curl_getdate(std::string(text).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const std::chrono::seconds until{std::min<std::int64_t>(date, kMostSeconds * 100)};
  return std::max(Microseconds(until) - now.time_since_epoch(), Microseconds(0));
}

Judgement Judge(const HttpAnswer& answer, summa::UnixTime now, Microseconds longest_hold) {
  using Kind = Judgement::Kind;
  constexpr int kFirstSuccess = 200;
  if (answer.status >= kFirstSuccess && answer.status < kFirstRedirect) {
    return {Kind::kAccepted, true, Microseconds(0), {}};
  }
  Judgement judgement{Kind::kFailed, true, Microseconds(0), ErrorOf(answer)};
  if (answer.status == kGone) judgement.kind = Kind::kGone;
  if (const auto wanted = ParseRetryAfter(answer.retry_after, now); wanted && answer.status != 0) {
    judgement.hold = std::min(*wanted, longest_hold);
    judgement.counts = false;
  }
  return judgement;
}

std::optional<Microseconds> NextAttempt(const RetryRules& rules, std::int64_t attempts,
                                        Microseconds age, const summa::Backoff::Random& random) {
  if (attempts >= rules.max_attempts || age >= rules.give_up_after) return std::nullopt;
  return summa::Backoff(rules.first, rules.longest, summa::Jitter::kHalf, random).Pause(attempts);
}

Microseconds Circuit::Failed(const CircuitRules& rules, std::int64_t begun_at,
                             const summa::Backoff::Random& random) {
  ++failures;
  if (begun_at != openings) return Microseconds(0);
  if (openings == 0 && failures < rules.failures) return Microseconds(0);
  ++openings;
  return summa::Backoff(rules.first, rules.longest, summa::Jitter::kHalf, random).Pause(openings);
}

}  // namespace webhook
