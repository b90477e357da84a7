#include "host/cli/progress_display.hpp"

#include <algorithm>
#include <utility>

namespace summa::host {
namespace {

// Often enough to be seen moving, seldom enough for a log file.
constexpr Microseconds kOnTerminal = std::chrono::milliseconds(100);
constexpr Microseconds kElsewhere = std::chrono::seconds(2);
// Shorter spans say little about a rate.
constexpr Microseconds kMeasureEvery = std::chrono::milliseconds(500);
constexpr std::int64_t kBarWidth = 20;

std::string Bar(std::int64_t percent) {
  const auto full =
      static_cast<std::size_t>(std::min<std::int64_t>(percent, 100) * kBarWidth / 100);
  return "[" + std::string(full, '#') + std::string(kBarWidth - full, '-') + "]";
}

std::string Two(std::int64_t first, const char* first_unit, std::int64_t second,
                const char* second_unit) {
  std::string text = std::to_string(first) + first_unit;
  if (second > 0) text += " " + std::to_string(second) + second_unit;
  return text;
}

}  // namespace

std::string TimeLeft(std::int64_t seconds) {
  constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (seconds >= kDay) return Two(seconds / kDay, " d", seconds % kDay / kHour, " h");
  if (seconds >= kHour) return Two(seconds / kHour, " h", seconds % kHour / kMinute, " min");
  if (seconds >= 2 * kMinute) return std::to_string(seconds / kMinute) + " min";
  return std::to_string(seconds) + " s";
}

// Another stage, or one that starts again, has its own rate.
void ProgressDisplay::Measure(std::string_view label, std::int64_t done, BootTime now) {
  if (!measured_at_ || label != label_ || done < measured_) {
    label_ = label;
    speed_ = Speed();
  } else if (now - *measured_at_ < kMeasureEvery) {
    return;
  } else {
    speed_.Add(done - measured_, now - *measured_at_);
  }
  measured_ = done;
  measured_at_ = now;
}

std::optional<std::string> ProgressDisplay::Line(std::string_view label, std::int64_t done,
                                                 std::int64_t total, BootTime now) {
  Measure(label, done, now);
  if (total > 0) total = std::max(total, done);  // an estimate may have been too low
  const bool finished = total > 0 && done >= total;
  const Microseconds interval = terminal_ ? kOnTerminal : kElsewhere;
  if (!finished && printed_at_ && now - *printed_at_ < interval) return std::nullopt;
  // The rate alone is no news.
  std::string printing = std::string(label) + " " + std::to_string(done);
  if (printing == printed_ && (finished || !terminal_)) return std::nullopt;
  printed_ = std::move(printing);
  printed_at_ = now;
  std::string line(label);
  line += ": ";
  const std::int64_t percent = total > 0
                                   ? static_cast<std::int64_t>(100.0 * static_cast<double>(done) /
                                                               static_cast<double>(total))
                                   : 0;
  if (terminal_ && total > 0) line += Bar(percent) + " ";
  line += std::to_string(done);
  if (total > 0) line += " of " + std::to_string(total) + " (" + std::to_string(percent) + "%)";
  if (speed_.rows_per_second() >= 1) {
    line += ", " + std::to_string(static_cast<std::int64_t>(speed_.rows_per_second())) + "/s";
    if (const auto left = speed_.Left(done, total); left && !finished) {
      line += ", about " + TimeLeft(left->count() / 1'000'000 + 1) + " left";
    }
  }
  return line;
}

}  // namespace summa::host
