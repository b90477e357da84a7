#include "plugins/bus-redis/stream_admin.hpp"

#include <algorithm>
#include <charconv>
#include <summa/bus.hpp>
#include <summa/crash_point.hpp>
#include <summa/error.hpp>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

// The most that one XTRIM removes: a server that removes millions at once does not answer
// meanwhile.
constexpr const char* kTrimStep = "10000";
constexpr std::size_t kCountPage = 1000;

// Ids compare as two numbers, not as text.
bool Below(std::string_view left, std::string_view right) {
  const auto parse = [](std::string_view id) {
    std::pair<std::uint64_t, std::uint64_t> numbers{0, 0};
    const std::size_t dash = std::min(id.find('-'), id.size());
    std::from_chars(id.data(), id.data() + dash, numbers.first);
    if (dash < id.size()) {
      std::from_chars(id.data() + dash + 1, id.data() + id.size(), numbers.second);
    }
    return numbers;
  };
  return parse(left) < parse(right);
}

template <typename Use>
void ForEachField(const redisReply& map, Use&& use) {
  for (std::size_t i = 0; i + 1 < map.elements; i += 2) {
    use(Text(*map.element[i]), *map.element[i + 1]);
  }
}

}  // namespace

std::string GroupState::NeededFrom() const {
  const std::string unread = NextEntryId(last_delivered_id);
  return lowest_pending_id.empty() || Below(unread, lowest_pending_id) ? unread : lowest_pending_id;
}

summa_bus_group ViewOf(std::string_view stream, const GroupState& group) {
  return {ToAbi(stream),
          ToAbi(group.name),
          group.consumers,
          group.pending,
          group.lag.value_or(-1),
          group.idle_seconds,
          ToAbi(group.last_delivered_id),
          ToAbi(group.lowest_pending_id)};
}

StreamAdmin::StreamAdmin(ConnectionOptions connection, KeyNaming names)
    : servers_(std::move(connection)), names_(std::move(names)) {}

Reply StreamAdmin::Command(const std::string& key,
                           std::initializer_list<std::string_view> arguments) {
  Reply reply = servers_.Command(key, arguments);
  if (!IsError(*reply)) return reply;
  const std::string_view text = Text(*reply);
  const std::string words = std::string(*arguments.begin()) + ": " + std::string(text);
  if (text.find("no such key") != std::string_view::npos ||
      text.find("requires the key to exist") != std::string_view::npos ||
      ServerErrorWord(text) == "NOGROUP") {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0607", words, "summa-host bus streams lists the streams");
  }
  ThrowRefused(arguments, key.empty() ? "Redis" : key, text);
}

Catalog StreamAdmin::Streams(const StreamCatalog::OnStep& on_step) {
  return StreamCatalog(servers_, names_).Streams(on_step);
}

std::vector<LeftOut> StreamAdmin::ForEach(const Catalog& catalog,
                                          const std::function<void(const std::string&)>& use) {
  std::vector<LeftOut> left_out;
  for (const std::string& key : catalog.foreign_keys) {
    left_out.push_back({key, "SH-0616", "no stream of this bus can have this name", false});
  }
  std::size_t done = 0;
  std::optional<Error> first;
  for (const std::string& stream : catalog.names) {
    try {
      use(stream);
      ++done;
    } catch (const Error& error) {
      if (error.status() == SUMMA_E_NOT_FOUND) continue;  // deleted meanwhile
      const bool of_the_key = error.status() == SUMMA_E_CONFIG || error.status() == SUMMA_E_DENIED;
      if (!of_the_key) throw;
      if (!first) first = error;
      left_out.push_back(
          {names_.Stream(stream), error.code(), error.what(), error.status() == SUMMA_E_DENIED});
    }
  }
  // When no stream can be trimmed, the fault is not that of a single key.
  if (done == 0 && first && first->status() == SUMMA_E_DENIED) throw *first;
  return left_out;
}

std::int64_t StreamAdmin::Length(std::string_view stream) {
  const std::string key = names_.Stream(stream);
  return Command(key, {"XLEN", key})->integer;
}

std::int64_t StreamAdmin::DeadLetters(std::string_view stream) {
  const std::string key = names_.DeadLetter(stream);
  return Command(key, {"XLEN", key})->integer;
}

std::vector<GroupState> StreamAdmin::Groups(std::string_view stream) {
  const std::string key = names_.Stream(stream);
  std::vector<GroupState> groups;
  const Reply list = Command(key, {"XINFO", "GROUPS", key});
  groups.reserve(list->elements);
  for (std::size_t i = 0; i < list->elements; ++i) {
    GroupState group;
    ForEachField(*list->element[i], [&](std::string_view name, const redisReply& value) {
      if (name == "name") group.name = Text(value);
      if (name == "consumers") group.consumers = value.integer;
      if (name == "pending") group.pending = value.integer;
      if (name == "last-delivered-id") group.last_delivered_id = Text(value);
      if (name == "lag" && value.type == REDIS_REPLY_INTEGER) group.lag = value.integer;
    });
    // count, lowest id, highest id, consumers
    const Reply pending = Command(key, {"XPENDING", key, group.name});
    if (pending->elements >= 2) group.lowest_pending_id = Text(*pending->element[1]);
    const Reply consumers = Command(key, {"XINFO", "CONSUMERS", key, group.name});
    for (std::size_t j = 0; j < consumers->elements; ++j) {
      ForEachField(*consumers->element[j], [&](std::string_view name, const redisReply& value) {
        if (name != "idle") return;
        const std::int64_t seconds = value.integer / 1000;
        group.idle_seconds =
            group.idle_seconds < 0 ? seconds : std::min(group.idle_seconds, seconds);
      });
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

TrimReport StreamAdmin::Trim(std::string_view stream, std::chrono::microseconds retention,
                             bool dry_run) {
  const std::string key = names_.Stream(stream);
  const Reply time = Command(key, {"TIME"});
  const BusTime now(std::chrono::seconds(std::stoll(std::string(Text(*time->element[0])))));
  const BusTime oldest = std::max(now - retention, BusTime());
  TrimReport report;
  report.below_id = FirstEntryId(oldest);
  for (const GroupState& group : Groups(stream)) {
    const std::string needed = group.NeededFrom();
    if (!Below(needed, report.below_id)) continue;
    report.below_id = needed;
    report.held_by = group.name;
  }
  if (!report.held_by.empty()) NameOldestHeld(key, oldest, report);
  if (dry_run) {
    report.removed = CountBelow(key, report.below_id);
    return report;
  }
  CrashPoint("redis.trim");
  for (;;) {
    // ~: whole nodes of the stream only, which costs nothing; the rest goes with the next trim.
    const Reply removed =
        Command(key, {"XTRIM", key, "MINID", "~", report.below_id, "LIMIT", kTrimStep});
    report.removed += removed->integer;
    if (removed->integer == 0) return report;
  }
}

// A group that needs only entries younger than the retention holds nothing.
void StreamAdmin::NameOldestHeld(const std::string& key, BusTime oldest, TrimReport& report) {
  const Reply first = Command(key, {"XRANGE", key, report.below_id, "+", "COUNT", "1"});
  const BusTime needed = first->elements == 0
                             ? oldest
                             : EntryTime(Text(*first->element[0]->element[0])).value_or(BusTime());
  if (needed < oldest) {
    report.held_seconds = std::chrono::floor<std::chrono::seconds>(oldest - needed).count();
  } else {
    report.held_by.clear();
  }
}

std::int64_t StreamAdmin::CountBelow(const std::string& key, const std::string& id) {
  std::int64_t count = 0;
  std::string from = "-";
  const std::string page_size = std::to_string(kCountPage);
  for (;;) {
    const Reply page = Command(key, {"XRANGE", key, from, "(" + id, "COUNT", page_size});
    count += static_cast<std::int64_t>(page->elements);
    if (page->elements < kCountPage) return count;
    from = NextEntryId(Text(*page->element[page->elements - 1]->element[0]));
  }
}

void StreamAdmin::RequireGroup(std::string_view stream, std::string_view group) {
  const std::vector<GroupState> groups = Groups(stream);
  if (std::any_of(groups.begin(), groups.end(),
                  [&](const GroupState& state) { return state.name == group; })) {
    return;
  }
  throw Error(SUMMA_E_NOT_FOUND, "SH-0607",
              "the stream " + std::string(stream) + " has no group " + std::string(group),
              "summa-host bus groups lists them");
}

void StreamAdmin::CreateGroup(std::string_view stream, std::string_view group,
                              std::string_view from) {
  const std::string key = names_.Stream(stream);
  Command(key, {"XGROUP", "CREATE", key, group, from, "MKSTREAM"});
}

void StreamAdmin::ResetGroup(std::string_view stream, std::string_view group,
                             std::string_view from) {
  RequireGroup(stream, group);
  const std::string key = names_.Stream(stream);
  Command(key, {"XGROUP", "SETID", key, group, from});
}

void StreamAdmin::DeleteGroup(std::string_view stream, std::string_view group) {
  RequireGroup(stream, group);
  const std::string key = names_.Stream(stream);
  Command(key, {"XGROUP", "DESTROY", key, group});
}

}  // namespace summa::bus_redis
