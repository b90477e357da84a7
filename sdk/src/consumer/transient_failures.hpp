// Whose fault it is when a handler says that something it needs is away, that it had to stop, or
// that it met a timeout.
//
// One message that says so may be the cause itself (a row that is locked for ever, a statement that
// never ends); then it must end among the dead letters like any other that fails, and no other key
// may wait for it. When the database is down, no message may lose an attempt. What tells them apart
// are the messages of other keys, and a check of its own (SubscribeOptions::is_away).
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

enum class FailureCause {
  kMessage,  // it failed: an attempt is counted
  kUnknown,  // its key waits, no attempt is counted
  kTopic     // what it needs is away: the topic waits, no attempt is counted
};

// The transient failures of one topic. Plain state, under the lock of the consumer. A moment is the
// number of handlers that had begun by then.
class TransientFailures {
 public:
  using Moment = std::uint64_t;

  struct Evidence {
    bool others = false;    // a message of another key failed so, and nobody got through since
    bool repeated = false;  // this one failed so before
    bool alone = false;     // others got through since its first failure, and no other fails
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
  Evidence Record(std::string_view key, Moment now) {
    Evidence evidence;
    for (const auto& [other, failure] : open_) {
      if (other != key && failure.last >= last_success_) evidence.others = true;
    }
    const auto [own, fresh] = open_.try_emplace(std::string(key), Open{now, now});
    own->second.last = now;
    evidence.repeated = !fresh;
    // With others that fail, those that got through may be the ones that need nothing.
    evidence.alone = last_success_ > own->second.first && open_.size() == 1;
    return evidence;
  }

 private:
  struct Open {
    Moment first, last;
  };
  std::map<std::string, Open, std::less<>> open_;  // by key, of messages that are not settled
  Moment last_success_ = 0;                        // the latest beginning
};

// The handler ended in good order, and blames nobody.
inline bool IsTransient(int status) {
  return status == SUMMA_E_UNAVAILABLE || status == SUMMA_E_TRY_LATER || status == SUMMA_E_FENCED ||
         status == SUMMA_E_CANCELLED;
}

// away: what a check of its own says of this failure; nullopt: nothing.
inline FailureCause FindCause(int status, const TransientFailures::Evidence& evidence,
                              std::optional<bool> away) {
  if (evidence.others || away.value_or(false)) return FailureCause::kTopic;
  // Whoever answers with a timeout is there.
  if (status == SUMMA_E_TRY_LATER) return FailureCause::kMessage;
  // The first time it may have been a moment's trouble.
  const bool known_there = away ? !*away : evidence.alone;
  return evidence.repeated && known_there ? FailureCause::kMessage : FailureCause::kUnknown;
}

}  // namespace summa::detail
