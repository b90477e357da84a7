// Which lanes may not be sent now. A lane is what order is kept within: a stream and a key.
//
// Rows of a lane that has to wait are put into a table of ours (outbox_waiting) as they are found,
// so that no poll meets them twice. Such a lane is backed up: whatever is found of it has to go
// there too, until the table has none of it left. Pure state; times are given by the caller; one
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <summa/lanes.hpp>
#include <summa/time.hpp>
#include <vector>

namespace summa::outbox {

using Microseconds = std::chrono::microseconds;

struct Lane {
  std::string stream, key;
};

using summa::LaneName;
inline std::string LaneName(const Lane& lane) { return LaneName(lane.stream, lane.key); }

class Lanes {
 public:
  // Held until the time: a row of the lane failed and is tried again then.
  void HoldUntil(const Lane& lane, BootTime until);
  // Held until a person acts: its dead letter waits.
  void Block(const Lane& lane);
  void SetBlocked(const std::vector<Lane>& lanes);   // replaces all blocked ones
  void BackUp(const Lane& lane);                     // rows of it stand in the table
  void SetBackedUp(const std::vector<Lane>& lanes);  // replaces all
  void Emptied(const Lane& lane);                    // none of its rows stands there any more
  void PauseStream(const std::string& stream, BootTime until);
  void Succeeded(const std::string& stream);  // its faults are forgotten

  // Lets go what is due. True when a stream was: its rows wait where only a full poll looks.
  bool Expire(BootTime now);
  bool Held(const std::string& lane) const;      // by LaneName: nothing of it may be sent
  bool BackedUp(const std::string& lane) const;  // what is newly found of it may not be sent
  bool Paused(std::string_view stream) const;
  std::vector<std::string> PausedStreams() const;
  // Lanes whose waiting rows may be sent now, at most `limit`.
  std::vector<Lane> Released(std::size_t limit) const;
  std::optional<BootTime> NextDue() const;  // of what is held or paused for a time
  std::size_t blocked_count() const { return blocked_.size(); }
  bool any_backed_up() const { return !backed_up_.empty(); }
  std::int64_t StreamFaults(const std::string& stream);  // counts one more in a row

 private:
  std::map<std::string, BootTime, std::less<>> held_;
  std::set<std::string, std::less<>> blocked_;
  std::map<std::string, Lane, std::less<>> backed_up_;
  std::map<std::string, BootTime, std::less<>> paused_;
  std::map<std::string, std::int64_t, std::less<>> faults_;
};

}  // namespace summa::outbox
