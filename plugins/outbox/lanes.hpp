// Which lanes may not be sent now. A lane is what order is kept within: a stream and a key.
// Pure state with an injected clock and random source; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::outbox {

using Microseconds = std::chrono::microseconds;

// Full-jitter exponential backoff: a random pause between 0 and base * 2^(attempt-1), at most cap.
class Backoff {
 public:
  Backoff(Microseconds base, Microseconds cap, std::function<double()> random)
      : base_(base), cap_(cap), random_(std::move(random)) {}
  Microseconds Pause(std::int64_t attempt) const;  // attempt counts from 1

 private:
  Microseconds base_, cap_;
  std::function<double()> random_;  // uniform in [0, 1)
};

// Name of a lane; also computed in SQL (see OutboxTable), so keep the two alike.
std::string LaneName(std::string_view stream, std::string_view key);

class Lanes {
 public:
  // Held until the time: a row of the lane failed and is tried again then.
  void HoldUntil(const std::string& lane, Microseconds until);
  // Held until a person acts: its dead letter waits.
  void Block(const std::string& lane);
  void SetBlocked(const std::vector<std::string>& lanes);  // replaces all blocked ones
  void PauseStream(const std::string& stream, Microseconds until);
  void Succeeded(const std::string& stream);  // its faults are forgotten

  // Lets go what is due. True when something was.
  bool Expire(Microseconds now);
  bool Held(const std::string& lane) const;
  bool Paused(std::string_view stream) const;
  std::vector<std::string> HeldLanes() const;  // held or blocked
  std::vector<std::string> PausedStreams() const;
  std::optional<Microseconds> NextDue() const;  // of what is held or paused for a time
  std::size_t blocked_count() const { return blocked_.size(); }
  std::int64_t StreamFaults(const std::string& stream);  // counts one more in a row

 private:
  std::map<std::string, Microseconds, std::less<>> held_;
  std::map<std::string, bool, std::less<>> blocked_;
  std::map<std::string, Microseconds, std::less<>> paused_;
  std::map<std::string, std::int64_t, std::less<>> faults_;
};

}  // namespace summa::outbox
