#include "plugins/bus-redis/dead_letters.hpp"

#include <algorithm>
#include <optional>
#include <summa/crash_point.hpp>
#include <summa/error.hpp>

#include "plugins/bus-redis/server_error.hpp"
#include "plugins/bus-redis/stream_catalog.hpp"

namespace summa::bus_redis {
namespace {

constexpr std::size_t kPage = 16;  // of letters that may have 64 MiB each
// Every letter that arrives or leaves while one is moved makes Redis refuse the move: this many
// consecutive refusals happen only when something is wrong.
constexpr int kMaximumAttempts = 100;

std::string CheckedId(summa_str id) {
  std::string text(FromAbi(id));
  if (!NextEntryId(text).empty()) return text;
  throw Error(SUMMA_E_USAGE, "SH-0900", "\"" + text + "\" is not the id of a dead letter",
              "ids look like 1700000000000-0");
}

}  // namespace

DeadLetters::DeadLetters(ConnectionOptions connection, KeyNaming names)
    : servers_(std::move(connection)), names_(std::move(names)) {}

bool DeadLetters::List(std::string_view stream, std::string_view after,
                       const OnDeadLetter& on_letter) {
  const std::string key = names_.DeadLetter(stream);
  std::string from = after.empty() ? "0-1" : NextEntryId(after);
  if (from.empty()) CheckedId(ToAbi(after));
  while (!from.empty()) {
    const Reply page =
        servers_.Command(key, {"XRANGE", key, from, "+", "COUNT", std::to_string(kPage)});
    if (!IsArray(*page)) ThrowRefused({"XRANGE"}, key, Text(*page));
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

void DeadLetters::Redrive(std::string_view stream, std::span<const summa_str> ids,
                          std::uint64_t& done) {
  for (const summa_str id : ids) {
    if (RedriveOne(stream, CheckedId(id))) ++done;
  }
}

bool DeadLetters::RedriveOne(std::string_view stream, const std::string& id) {
  const std::string letters = names_.DeadLetter(stream);
  const std::string target = names_.Stream(stream);
  for (int attempt = 0; attempt < kMaximumAttempts; ++attempt) {
    if (const auto moved = TryRedrive(letters, target, id)) return *moved;
  }
  throw Error(SUMMA_E_TRY_LATER, "SH-0610", letters + " is constantly changed by other programs",
              "try again later");
}

// WATCH makes the move fail when another client changed the dead letters since this one was read,
// so that two who redrive the same letter send it once. It holds on one connection only: a server
// that redirects to another one ends the attempt.
std::optional<bool> DeadLetters::TryRedrive(const std::string& letters, const std::string& target,
                                            const std::string& id) {
  servers_.Tidy();
  Connection& connection = servers_.Of(letters);
  const Reply watched = connection.Command({"WATCH", letters});
  if (IsError(*watched)) return SentOn({"WATCH"}, *watched, connection, letters);
  const Reply found = connection.Command({"XRANGE", letters, id, id});
  if (!IsArray(*found)) return SentOn({"XRANGE"}, *found, connection, letters);
  summa_bus_dead_letter letter;
  if (found->elements == 0 || !ReadDeadLetter(*found->element[0], letter)) {
    connection.Command({"UNWATCH"});
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
  if (const Reply multi = connection.Command({"MULTI"}); IsError(*multi)) {
    RefuseTransactions(connection, Text(*multi));
  }
  const Reply queued = connection.Command(add, connection.CommandDeadline());
  const Reply removed = connection.Command({"XDEL", letters, id});
  const Reply result = connection.Command({"EXEC"});
  CrashPoint("redis.redriven");
  if (IsError(*queued)) return SentOn({"XADD"}, *queued, connection, target);
  if (IsError(*removed)) return SentOn({"XDEL"}, *removed, connection, letters);
  if (IsError(*result)) return SentOn({"EXEC"}, *result, connection, target);
  if (!IsArray(*result)) return std::nullopt;  // another client was faster: look again
  if (IsError(*result->element[0])) ThrowRefused({"XADD"}, target, Text(*result->element[0]));
  return true;
}

// What was refused was not done. nullopt: try the other server; otherwise it is a fault.
std::optional<bool> DeadLetters::SentOn(std::initializer_list<std::string_view> command,
                                        const redisReply& error, Connection& connection,
                                        const std::string& key) {
  bool asking = false;
  const bool elsewhere = servers_.Follow(Text(error), connection, asking) != nullptr;
  if (!elsewhere) ThrowRefused(command, key, Text(error));
  connection.Drop("the key is on another node");  // it still watches
  if (!asking) return std::nullopt;
  throw Error(SUMMA_E_TRY_LATER, "SH-0624", key + " is being moved to another node",
              "try again when the resharding has ended");
}

void DeadLetters::Discard(std::string_view stream, std::span<const summa_str> ids,
                          std::uint64_t& done) {
  const std::string key = names_.DeadLetter(stream);
  for (const summa_str id : ids) {
    const Reply reply = servers_.Command(key, {"XDEL", key, CheckedId(id)});
    if (IsError(*reply)) ThrowRefused({"XDEL"}, key, Text(*reply));
    done += static_cast<std::uint64_t>(reply->integer);
  }
}

void DeadLetters::ListAll(const OnDeadLetter& on_letter) {
  std::optional<Error> first;
  for (const std::string& stream : StreamCatalog(servers_, names_).DeadLetters().names) {
    try {
      if (!List(stream, "", on_letter)) return;
    } catch (const Error& error) {
      // One key does not hide the letters of the others, and is named behind them.
      if (error.status() != SUMMA_E_CONFIG && error.status() != SUMMA_E_DENIED) throw;
      if (!first) first = error;
    }
  }
  if (first) throw *first;
}

}  // namespace summa::bus_redis
