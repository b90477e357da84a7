// Whose fault it is when a handler says that something it needs is away, that it had to stop, or
// that it met a timeout.
//
// One message that says so may be the cause itself (a row that is locked for ever, a statement that
// never ends); then it must end among the dead letters like any other that fails, and no other key
// may wait for it. When the database is down, no message may lose an attempt. What tells them apart
// are the messages of other keys, and a look of its own (SubscribeOptions::look).
#pragma once

#include <summa/abi/plugin.h>
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace summa::detail {

enum class Verdict {
  kMessage,  // it failed: an attempt is counted
  kUnknown,  // its key waits, no attempt is counted
  kTopic     // what it needs is away: the topic waits, no attempt is counted
};

// The complaints about one topic. Plain state, under the lock of the consumer. A moment is the
// number of handlers that had begun by then.
class Complaints {
 public:
  using Moment = std::uint64_t;

  struct Sight {
    bool others = false;    // a message of another key complained, and nobody got through since
    bool repeated = false;  // this one complained before
    bool alone = false;     // others got through since it complained first, and none complains
  };

  // A handler that had begun at this moment got through.
  void Succeeded(std::string_view key, Moment began) {
    last_success_ = std::max(last_success_, began);
    Settled(key);
  }
  // The message of the key is settled otherwise.
  void Settled(std::string_view key) {
    if (const auto found = open_.find(key); found != open_.end()) open_.erase(found);
  }
  Sight Complain(std::string_view key, Moment now) {
    Sight sight;
    for (const auto& [other, complaint] : open_) {
      if (other != key && complaint.last >= last_success_) sight.others = true;
    }
    const auto [own, fresh] = open_.try_emplace(std::string(key), Open{now, now});
    own->second.last = now;
    sight.repeated = !fresh;
    // With others that complain, those that got through may be the ones that need nothing.
    sight.alone = last_success_ > own->second.first && open_.size() == 1;
    return sight;
  }

 private:
  struct Open {
    Moment first, last;
  };
  std::map<std::string, Open, std::less<>> open_;  // by key, of messages that are not settled
  Moment last_success_ = 0;                        // the latest beginning
};

// The handler ended in good order, and blames nobody.
inline bool IsComplaint(int status) {
  return status == SUMMA_E_UNAVAILABLE || status == SUMMA_E_TRY_LATER || status == SUMMA_E_FENCED ||
         status == SUMMA_E_CANCELLED;
}

// away: what a look of its own says of this complaint; nullopt: nothing.
inline Verdict Judge(int status, const Complaints::Sight& sight, std::optional<bool> away) {
  if (sight.others || away.value_or(false)) return Verdict::kTopic;
  // Whoever answers with a timeout is there.
  if (status == SUMMA_E_TRY_LATER) return Verdict::kMessage;
  // The first time it may have been a moment's trouble.
  const bool known_there = away ? !*away : sight.alone;
  return sight.repeated && known_there ? Verdict::kMessage : Verdict::kUnknown;
}

}  // namespace summa::detail
