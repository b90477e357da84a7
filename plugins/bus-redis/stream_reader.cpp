#include "plugins/bus-redis/stream_reader.hpp"

#include <algorithm>
#include <limits>
#include <summa/error.hpp>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

constexpr std::size_t kPage = 1000;  // entries of one answer
// A scan asks for as many entries as had this size in the page before, so that large payloads do
// not fill the memory.
constexpr std::size_t kScanPageBytes = 4 << 20;
constexpr std::size_t kFirstScanPage = 16;  // of entries that may have 64 MiB each

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

// Where a scan begins: the later one of "behind `after`", or at it, and "at `since`".
std::string ScanStart(const ScanOptions& options) {
  std::string start = "0-1";  // no entry has a smaller id
  if (!options.after.empty() && !(options.inclusive && options.after == "-")) {
    // Of a place that is no id, the server says what is wrong with it.
    start = options.inclusive ? options.after : NextEntryId(options.after);
    if (start.empty()) {
      throw Error(SUMMA_E_USAGE, "SH-0900", "\"" + options.after + "\" is not the id of an entry",
                  "ids look like 1700000000000-0");
    }
  }
  if (!options.since || !EntryTime(start)) return start;
  const std::string since = FirstEntryId(*options.since);
  return EntryTime(since) > EntryTime(start) ? since : start;
}

// The answer of TIME: seconds and microseconds.
std::optional<BusTime> ServerTime(const redisReply& reply) {
  if (IsError(reply)) ThrowRefused({"TIME"}, "Redis", Text(reply));
  if (!IsArray(reply) || reply.elements != 2) return std::nullopt;
  return BusTime(std::chrono::seconds(std::stoll(std::string(Text(*reply.element[0])))) +
                 std::chrono::microseconds(std::stoll(std::string(Text(*reply.element[1])))));
}

}  // namespace

StreamReader::StreamReader(ConnectionOptions connection, KeyNaming names)
    : servers_(std::move(connection)), names_(std::move(names)) {}

void StreamReader::Read(std::string_view stream, std::string_view after, std::size_t count,
                        const OnMessage& on_message) {
  if (after.empty()) {
    ReadLatest(stream, std::min(count, kMaximumLatest), on_message);
    return;
  }
  const std::string first = NextEntryId(after);
  if (first.empty()) {
    throw Error(SUMMA_E_USAGE, "SH-0900",
                "\"" + std::string(after) + "\" is not the id of an entry",
                "ids look like 1700000000000-0");
  }
  ReadFrom(stream, first, count, on_message);
}

std::string StreamReader::ReadFrom(std::string_view stream, std::string_view first_id,
                                   std::size_t count, const OnMessage& on_message) {
  RequireStream(stream);
  const std::string key = names_.Stream(stream);
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
  const std::string key = names_.Stream(stream);
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
  Reply reply = servers_.Command(key, {command, key, from, to, "COUNT", std::to_string(count)});
  if (IsArray(*reply)) return reply;
  if (ServerErrorWord(Text(*reply)) != "ERR") ThrowRefused({command}, key, Text(*reply));
  throw Error(SUMMA_E_USAGE, "SH-0900", key + " cannot be read: " + std::string(Text(*reply)),
              "ids look like 1700000000000-0, or 1700000000000 for a time in milliseconds");
}

void StreamReader::Scan(const ScanOptions& options, const OnMessage& on_message) {
  const std::string key = names_.Stream(options.stream);
  std::string from = ScanStart(options);
  std::uint64_t left =
      options.limit == 0 ? std::numeric_limits<std::uint64_t>::max() : options.limit;
  std::size_t page_size = kFirstScanPage;
  while (left > 0 && !from.empty()) {
    const std::size_t wanted = std::min<std::uint64_t>(left, page_size);
    const Reply page = Range(key, "XRANGE", from, "+", wanted);
    std::size_t bytes = 1;
    for (std::size_t i = 0; i < page->elements; ++i) {
      summa_bus_delivery delivery;
      if (!ReadEntry(*page->element[i], options.stream, delivery)) continue;
      bytes += WireBytes(delivery.message);
      from = NextEntryId(FromAbi(delivery.delivery_id));
      if (!on_message(delivery)) return;
    }
    if (page->elements < wanted) return;
    left -= page->elements;
    page_size = std::clamp<std::size_t>(kScanPageBytes / (bytes / page->elements + 1), 1, kPage);
  }
}

summa_bus_horizon StreamReader::Horizon(std::string_view stream) {
  summa_bus_horizon horizon = EmptyHorizon();
  const std::string key = names_.Stream(stream);
  horizon.now_microseconds = FromBusTime(ServerTime(*servers_.Command(key, {"TIME"})));
  const Reply info = servers_.Command(key, {"XINFO", "STREAM", key});
  if (IsError(*info)) {
    if (Text(*info).starts_with("ERR no such key")) return horizon;
    ThrowRefused({"XINFO", "STREAM"}, key, Text(*info));
  }
  horizon.exists = 1;
  horizon.removed = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i + 1 < info->elements; i += 2) {
    const std::string_view name = Text(*info->element[i]);
    const redisReply& value = *info->element[i + 1];
    if (name == "length") horizon.held = static_cast<std::uint64_t>(value.integer);
    // From Redis 7 on.
    if (name == "entries-added") horizon.removed = static_cast<std::uint64_t>(value.integer);
    const bool edge = IsArray(value) && value.elements == 2;
    if (edge && name == "first-entry") {
      horizon.oldest_microseconds = FromBusTime(EntryTime(Text(*value.element[0])));
    }
    if (edge && name == "last-entry") {
      horizon.newest_microseconds = FromBusTime(EntryTime(Text(*value.element[0])));
    }
  }
  const bool counted = horizon.removed != std::numeric_limits<std::uint64_t>::max();
  if (counted) horizon.removed -= std::min(horizon.removed, horizon.held);
  return horizon;
}

void StreamReader::RequireStream(std::string_view stream) {
  const std::string key = names_.Stream(stream);
  const Reply reply = servers_.Command(key, {"EXISTS", key});
  if (IsError(*reply)) ThrowRefused({"EXISTS"}, key, Text(*reply));
  if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1) return;
  throw Error(SUMMA_E_NOT_FOUND, "SH-0607",
              "there is no stream " + key + " in Redis at " + servers_.options().url.ForPeople(),
              "a stream exists as soon as a message has been published to it");
}

}  // namespace summa::bus_redis
