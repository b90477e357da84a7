// Looks after streams and their groups: who reads what, how far it is, and what nobody needs any
// more.
//
// One thread at a time, with a connection of its own. Throws summa::Error as Connection does,
// SUMMA_E_NOT_FOUND SH-0607 for a stream or group that does not exist, SUMMA_E_CONFIG SH-0604 for
// what Redis refuses.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

struct GroupState {
  std::string name;
  std::int64_t consumers = 0, pending = 0;
  std::optional<std::int64_t> lag;  // messages it was not given yet; Redis before 7 does not say
  std::string last_delivered_id;
  std::string lowest_pending_id;   // empty: none
  std::int64_t idle_seconds = -1;  // since any of its consumers last asked; -1: it has none
  // Everything below this id the group has handled.
  std::string NeededFrom() const;
};

struct TrimReport {
  std::int64_t removed = 0;       // with dry_run: would be removed
  std::string below_id;           // entries below it are not needed and old enough
  std::string held_by;            // the group that keeps older entries than the retention, or empty
  std::int64_t held_seconds = 0;  // how far past the retention its first one is
};

class StreamAdmin {
 public:
  StreamAdmin(ConnectionOptions connection, KeyNaming names);

  std::vector<std::string> Streams();
  std::int64_t Length(std::string_view stream);
  std::int64_t DeadLetters(std::string_view stream);
  std::vector<GroupState> Groups(std::string_view stream);
  // Removes what is older than the retention and below the lowest unread or pending entry of every
  // group. A stream without groups is trimmed by age alone.
  TrimReport Trim(std::string_view stream, std::chrono::microseconds retention, bool dry_run);

  // from: an entry id, "0" (everything), or "$" (only what comes).
  void CreateGroup(std::string_view stream, std::string_view group, std::string_view from);
  void ResetGroup(std::string_view stream, std::string_view group, std::string_view from);
  void DeleteGroup(std::string_view stream, std::string_view group);

 private:
  void RequireGroup(std::string_view stream, std::string_view group);
  Reply Ask(const std::string& key, std::initializer_list<std::string_view> arguments);
  std::int64_t CountBelow(const std::string& key, const std::string& id);
  void NameWhatIsHeld(const std::string& key, std::int64_t oldest_milliseconds, TrimReport& report);

  Servers servers_;
  const KeyNaming names_;
};

}  // namespace summa::bus_redis
