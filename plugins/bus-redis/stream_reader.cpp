#include "plugins/bus-redis/stream_reader.hpp"

#include <algorithm>
#include <set>
#include <summa/error.hpp>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

constexpr std::size_t kPage = 1000;  // entries of one answer

// A prefix with * or [ in it must match itself.
std::string EscapeGlob(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// "5-1" -> "5-0": the largest id before `id`, or empty when there is none.
std::string PreviousEntryId(std::string_view id) {
  const std::size_t dash = id.find('-');
  const std::uint64_t milliseconds = std::stoull(std::string(id.substr(0, dash)));
  const std::uint64_t sequence = std::stoull(std::string(id.substr(dash + 1)));
  if (sequence > 0) return std::to_string(milliseconds) + "-" + std::to_string(sequence - 1);
  // XREVRANGE completes an id without a sequence with the largest one.
  if (milliseconds > 0) return std::to_string(milliseconds - 1);
  return {};
}

}  // namespace

StreamReader::StreamReader(ConnectionOptions connection, std::string key_prefix)
    : connection_(std::move(connection)), key_prefix_(std::move(key_prefix)) {}

void StreamReader::Read(std::string_view stream, std::string_view after, std::size_t count,
                        const OnMessage& on_message) {
  if (after.empty()) {
    ReadLatest(stream, std::min(count, kMaximumLatest), on_message);
    return;
  }
  const std::string first = NextEntryId(after);
  if (first.empty()) {
    throw Error(SUMMA_E_USAGE, "SH-0900", "\"" + std::string(after) + "\" is no id of an entry",
                "ids look like 1700000000000-0");
  }
  ReadFrom(stream, first, count, on_message);
}

std::string StreamReader::ReadFrom(std::string_view stream, std::string_view first_id,
                                   std::size_t count, const OnMessage& on_message) {
  RequireStream(stream);
  const std::string key = StreamKey(key_prefix_, stream);
  std::string from(first_id);
  std::string last;
  while (count > 0 && !from.empty()) {
    const Reply page = Range(key, "XRANGE", from, "+", std::min(count, kPage));
    for (std::size_t i = 0; i < page->elements; ++i) {
      summa_bus_delivery delivery;
      if (!ReadEntry(*page->element[i], stream, delivery)) continue;
      last = FromAbi(delivery.delivery_id);
      if (!on_message(delivery)) return last;
    }
    if (page->elements < std::min(count, kPage)) return last;
    count -= page->elements;
    from = NextEntryId(last);
  }
  return last;
}

void StreamReader::ReadLatest(std::string_view stream, std::size_t count,
                              const OnMessage& on_message) {
  RequireStream(stream);
  const std::string key = StreamKey(key_prefix_, stream);
  std::vector<Reply> pages;  // newest first
  std::string to = "+";
  while (count > 0 && !to.empty()) {
    pages.push_back(Range(key, "XREVRANGE", to, "-", std::min(count, kPage)));
    const redisReply& page = *pages.back();
    if (page.elements < std::min(count, kPage)) break;
    count -= page.elements;
    to = PreviousEntryId(Text(*page.element[page.elements - 1]->element[0]));
  }
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) {
    for (std::size_t i = (*page)->elements; i > 0; --i) {
      summa_bus_delivery delivery;
      if (!ReadEntry(*(*page)->element[i - 1], stream, delivery)) continue;
      if (!on_message(delivery)) return;
    }
  }
}

Reply StreamReader::Range(const std::string& key, std::string_view command, std::string_view from,
                          std::string_view to, std::size_t count) {
  Reply reply = connection_.Command({command, key, from, to, "COUNT", std::to_string(count)});
  if (IsArray(*reply)) return reply;
  if (ServerErrorWord(Text(*reply)) == "WRONGTYPE") {
    throw Error(SUMMA_E_CONFIG, "SH-0604", key + " is not a stream: " + std::string(Text(*reply)),
                "another program uses this key; change plugins.bus-redis.key_prefix");
  }
  throw Error(SUMMA_E_USAGE, "SH-0900", key + " cannot be read: " + std::string(Text(*reply)),
              "ids look like 1700000000000-0, or 1700000000000 for a time in milliseconds");
}

void StreamReader::RequireStream(std::string_view stream) {
  connection_.Ensure();
  const std::string key = StreamKey(key_prefix_, stream);
  const Reply reply = connection_.Command({"EXISTS", key});
  if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1) return;
  throw Error(SUMMA_E_NOT_FOUND, "SH-0607",
              "there is no stream " + key + " in Redis at " + connection_.options().url.ForPeople(),
              "a stream is there as soon as a message was published to it");
}

std::vector<std::string> StreamReader::StreamNames() {
  connection_.Ensure();
  const std::string start = StreamKey(key_prefix_, "");
  const std::string pattern = EscapeGlob(start) + "*";
  std::set<std::string> names;
  std::string cursor = "0";
  for (int step = 0; step < kMaximumScanSteps && names.size() < kMaximumNames; ++step) {
    const Reply reply = connection_.Command({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"});
    if (!IsArray(*reply) || reply->elements != 2) break;
    const redisReply& keys = *reply->element[1];
    for (std::size_t i = 0; i < keys.elements; ++i) {
      names.emplace(Text(*keys.element[i]).substr(start.size()));
    }
    cursor = Text(*reply->element[0]);
    if (cursor == "0") break;
  }
  return {names.begin(), names.end()};
}

}  // namespace summa::bus_redis
