#include "plugins/bus-redis/dead_letters.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>
#include <summa/error.hpp>

#include "plugins/bus-redis/key_names.hpp"
#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

constexpr std::size_t kPage = 16;  // of letters that may have 64 MiB each
// Every letter that arrives or leaves while one is moved makes Redis refuse the move: so many in a
// row happen only when something is wrong.
constexpr int kMaximumAttempts = 100;
constexpr std::size_t kMaximumStreams = 10'000;

[[noreturn]] void ThrowFault(const std::string& key, std::string_view server_text) {
  throw Error(SUMMA_E_CONFIG, "SH-0604", key + ": " + std::string(server_text),
              "look at the key with redis-cli TYPE, and at the memory of Redis");
}

std::string CheckedId(summa_str id) {
  std::string text(FromAbi(id));
  if (!NextEntryId(text).empty()) return text;
  throw Error(SUMMA_E_USAGE, "SH-0900", "\"" + text + "\" is no id of a dead letter",
              "ids look like 1700000000000-0");
}

}  // namespace

DeadLetters::DeadLetters(ConnectionOptions connection, std::string key_prefix)
    : connection_(std::move(connection)), key_prefix_(std::move(key_prefix)) {}

bool DeadLetters::List(std::string_view stream, std::string_view after,
                       const OnDeadLetter& on_letter) {
  connection_.Ensure();
  const std::string key = DeadLetterKey(key_prefix_, stream);
  std::string from = after.empty() ? "0-1" : NextEntryId(after);
  if (from.empty()) CheckedId(ToAbi(after));
  while (!from.empty()) {
    const Reply page =
        connection_.Command({"XRANGE", key, from, "+", "COUNT", std::to_string(kPage)});
    if (!IsArray(*page)) ThrowFault(key, Text(*page));
    for (std::size_t i = 0; i < page->elements; ++i) {
      summa_bus_dead_letter letter;
      if (!ReadDeadLetter(*page->element[i], letter)) continue;
      letter.message.stream = ToAbi(stream);
      from = NextEntryId(FromAbi(letter.dead_letter_id));
      if (!on_letter(letter)) return false;
    }
    if (page->elements < kPage) return true;
  }
  return true;
}

Reply DeadLetters::Letter(const std::string& key, const std::string& id) {
  Reply letter = connection_.Command({"XRANGE", key, id, id});
  if (!IsArray(*letter)) ThrowFault(key, Text(*letter));
  return letter;
}

void DeadLetters::Redrive(std::string_view stream, std::span<const summa_str> ids,
                          std::uint64_t& done) {
  connection_.Ensure();
  for (const summa_str id : ids) {
    if (RedriveOne(stream, CheckedId(id))) ++done;
  }
}

// WATCH makes the move fail when somebody else touched the dead letters since we read this one, so
// that two who redrive the same letter send it once.
bool DeadLetters::RedriveOne(std::string_view stream, const std::string& id) {
  const std::string letters = DeadLetterKey(key_prefix_, stream);
  const std::string target = StreamKey(key_prefix_, stream);
  for (int attempt = 0; attempt < kMaximumAttempts; ++attempt) {
    connection_.Command({"WATCH", letters});
    const Reply found = Letter(letters, id);
    summa_bus_dead_letter letter;
    if (found->elements == 0 || !ReadDeadLetter(*found->element[0], letter)) {
      connection_.Command({"UNWATCH"});
      return false;
    }
    const redisReply& fields = *found->element[0]->element[1];
    std::vector<std::string_view> add = {"XADD", target, "*"};
    for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
      if (IsDeadLetterField(Text(*fields.element[i]))) continue;
      add.insert(add.end(), {Text(*fields.element[i]), Text(*fields.element[i + 1])});
    }
    const std::string_view group = FromAbi(letter.group);
    add.insert(add.end(), {"redriven", group.empty() ? SUMMA_BUS_EVERYBODY : group});
    CrashPoint("redis.redrive");
    connection_.Command({"MULTI"});
    const Reply queued = connection_.Command(add, connection_.CommandDeadline());
    connection_.Command({"XDEL", letters, id});
    const Reply result = connection_.Command({"EXEC"});
    CrashPoint("redis.redriven");
    if (IsError(*queued)) ThrowFault(target, Text(*queued));
    if (IsError(*result)) ThrowFault(target, Text(*result));
    if (!IsArray(*result)) continue;  // somebody was faster: look again
    if (IsError(*result->element[0])) ThrowFault(target, Text(*result->element[0]));
    return true;
  }
  throw Error(SUMMA_E_TRY_LATER, "SH-0610", letters + " is changed by others all the time",
              "try again later");
}

void DeadLetters::Discard(std::string_view stream, std::span<const summa_str> ids,
                          std::uint64_t& done) {
  connection_.Ensure();
  const std::string key = DeadLetterKey(key_prefix_, stream);
  for (const summa_str id : ids) {
    const Reply reply = connection_.Command({"XDEL", key, CheckedId(id)});
    if (IsError(*reply)) ThrowFault(key, Text(*reply));
    done += static_cast<std::uint64_t>(reply->integer);
  }
}

std::vector<std::string> DeadLetters::StreamNames() {
  connection_.Ensure();
  return NamesOfKeys(connection_, DeadLetterKey(key_prefix_, ""), kMaximumStreams);
}

}  // namespace summa::bus_redis
