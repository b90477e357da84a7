// Looks after streams and their groups: who reads what, how far it is, and what nobody needs any
// more.
//
// One thread at a time, with a connection of its own. Throws summa::Error as Connection does,
// SUMMA_E_NOT_FOUND SH-0607 for a stream or group that does not exist, and what ThrowRefused()
// says for what Redis refuses.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <summa/bus.hpp>
#include <vector>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/servers.hpp"
#include "plugins/bus-redis/stream_catalog.hpp"

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

// Borrows from both.
summa_bus_group ViewOf(std::string_view stream, const GroupState& group);

struct TrimReport {
  std::int64_t removed = 0;       // with dry_run: would be removed
  std::string below_id;           // entries below it are not needed and old enough
  std::string held_by;            // the group that keeps older entries than the retention, or empty
  std::int64_t held_seconds = 0;  // how far past the retention its first one is
};

// A key that was not looked after while the others were.
struct LeftOut {
  std::string key, code, reason;
  bool refused = false;  // it is a stream, and the login may not; else it is none of ours
};

class StreamAdmin {
 public:
  StreamAdmin(ConnectionOptions connection, KeyNaming names);

  // All of them, or an error.
  Catalog Streams(const StreamCatalog::OnStep& on_step = StreamCatalog::Continue);
  // Calls `use` with each stream. A key that is no stream, or that the login may not use, is left
  // out and the others go on; a stream that is gone by then is passed over. Throws when the login
  // may use none, and what Connection throws.
  std::vector<LeftOut> ForEach(const Catalog& catalog,
                               const std::function<void(const std::string& stream)>& use);
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
  Reply Command(const std::string& key, std::initializer_list<std::string_view> arguments);
  std::int64_t CountBelow(const std::string& key, const std::string& id);
  void NameOldestHeld(const std::string& key, BusTime oldest, TrimReport& report);

  Servers servers_;
  const KeyNaming names_;
};

}  // namespace summa::bus_redis
