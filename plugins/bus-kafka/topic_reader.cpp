#include "plugins/bus-kafka/topic_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <summa/error.hpp>
#include <system_error>

#include "plugins/bus-kafka/record.hpp"

namespace summa::bus_kafka {
namespace {

constexpr std::size_t kBatch = 256;
constexpr std::size_t kPrefetchKib = 1024;  // of each partition

// One partition from a place on, to an end that does not move.
class PartitionReader {
 public:
  PartitionReader(Client& client, rd_kafka_topic_t* topic, std::int32_t partition,
                  std::int64_t begin, std::int64_t end, int timeout)
      : client_(client),
        topic_(topic),
        partition_(partition),
        end_(end),
        timeout_(timeout),
        done_(begin >= end) {
    if (done_) return;
    queue_.reset(rd_kafka_queue_new(client.get()));
    if (rd_kafka_consume_start_queue(topic, partition, begin, queue_.get()) != 0) {
      client.Throw(rd_kafka_last_error(), "a partition cannot be read");
    }
    started_ = true;
  }
  ~PartitionReader() {
    if (started_) rd_kafka_consume_stop(topic_, partition_);
  }
  PartitionReader(const PartitionReader&) = delete;
  PartitionReader& operator=(const PartitionReader&) = delete;

  // The next message; nullptr: there is none before the end.
  const StoredRecord* Head() {
    while (records_.empty() && !done_) Fetch();
    return records_.empty() ? nullptr : &records_.front();
  }
  StoredRecord Pop() {
    StoredRecord record = std::move(records_.front());
    records_.pop_front();
    return record;
  }

 private:
  // Waits for the first message alone: a batch is waited for until it is full.
  void Fetch() {
    const Message first(rd_kafka_consume_queue(queue_.get(), timeout_));
    if (!first) {
      client_.Throw(RD_KAFKA_RESP_ERR__TIMED_OUT, "Kafka does not deliver what a topic holds");
    }
    rd_kafka_resp_err_t failure = Take(*first);
    std::array<rd_kafka_message_t*, kBatch> batch{};
    const ssize_t count = rd_kafka_consume_batch_queue(queue_.get(), 0, batch.data(), batch.size());
    for (ssize_t i = 0; i < count; ++i) {
      const Message message(batch[static_cast<std::size_t>(i)]);
      if (const auto error = Take(*message); error != RD_KAFKA_RESP_ERR_NO_ERROR) failure = error;
    }
    if (records_.empty() && !done_) client_.Check(failure, "a topic cannot be read");
  }
  rd_kafka_resp_err_t Take(const rd_kafka_message_t& message) {
    if (done_) return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      done_ = true;
      return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return message.err;
    if (message.offset < end_) records_.emplace_back(message);
    done_ = message.offset + 1 >= end_;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  Client& client_;
  rd_kafka_topic_t* const topic_;
  const std::int32_t partition_;
  const std::int64_t end_;
  const int timeout_;
  bool done_, started_ = false;
  Queue queue_;
  std::deque<StoredRecord> records_;
};

Settings ReaderSettings() {
  return {{"enable.partition.eof", "true"},
          {"auto.offset.reset", "earliest"},  // what is removed meanwhile is not there
          {"allow.auto.create.topics", "false"},
          {"queued.max.messages.kbytes", std::to_string(kPrefetchKib)}};
}

std::optional<std::int64_t> ParseMilliseconds(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

[[noreturn]] void ThrowNoPlace(std::string_view place) {
  throw Error(
      SUMMA_E_USAGE, "SH-0605", "\"" + std::string(place) + "\" is not a place of a stream",
      "write PARTITION:OFFSET, as deliveryId shows it, or a time in milliseconds since 1970");
}

}  // namespace

void TopicReader::Merge(const std::string& topic, const std::string& stream,
                        std::vector<Range> ranges, std::uint64_t limit,
                        const OnDelivery& on_message) {
  if (std::all_of(ranges.begin(), ranges.end(),
                  [](const Range& range) { return range.begin >= range.end; })) {
    return;
  }
  Client client(options_, RD_KAFKA_CONSUMER, ReaderSettings());
  const Topic handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  std::deque<PartitionReader> readers;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    readers.emplace_back(client, handle.get(), static_cast<std::int32_t>(i), ranges[i].begin,
                         ranges[i].end, static_cast<int>(options_.request_timeout.count()));
  }
  RecordDecoder decoder;
  for (std::uint64_t given = 0; limit == 0 || given < limit; ++given) {
    PartitionReader* oldest = nullptr;
    for (PartitionReader& reader : readers) {
      const StoredRecord* head = reader.Head();
      if (head == nullptr) continue;
      if (oldest == nullptr || head->milliseconds < oldest->Head()->milliseconds) oldest = &reader;
    }
    if (oldest == nullptr) return;
    const StoredRecord record = oldest->Pop();
    decoder.Forget();
    if (!on_message(decoder.Decode(record, stream))) return;
  }
}

std::optional<std::int64_t> TopicReader::TimeAt(const std::string& topic, Place place) {
  const std::optional<int> partitions = admin_.FindPartitions(topic);
  if (!partitions || place.partition >= *partitions) return std::nullopt;
  std::vector<Range> one(static_cast<std::size_t>(*partitions));
  const auto offsets =
      admin_.OffsetsOf(topic, *partitions)[static_cast<std::size_t>(place.partition)];
  const std::int64_t at = std::max(place.offset, offsets.low);
  one[static_cast<std::size_t>(place.partition)] = {at, std::min(at + 1, offsets.high)};
  std::optional<std::int64_t> time;
  Merge(topic, "", one, 1, [&](const summa_bus_delivery& delivery) {
    if (delivery.entered_at_microseconds != SUMMA_BUS_NO_TIME) {
      time = delivery.entered_at_microseconds / 1000;
    }
    return false;
  });
  return time;
}

std::vector<std::int64_t> TopicReader::Behind(const std::string& topic, int partitions, Place place,
                                              bool inclusive) {
  const std::int64_t own = place.offset + (inclusive ? 0 : 1);
  std::vector<std::int64_t> begins;
  if (partitions == 1) {
    begins = {own};
    return begins;
  }
  const std::optional<std::int64_t> time = TimeAt(topic, place);
  if (time) {
    begins = admin_.OffsetsAt(topic, partitions, *time);
    // In the order of a scan, messages of the same time come by partition.
    const auto later = admin_.OffsetsAt(topic, partitions, *time + 1);
    for (std::size_t i = 0; i < begins.size(); ++i) {
      if (static_cast<std::int32_t>(i) < place.partition) begins[i] = later[i];
    }
  } else {
    // The place is the end of its partition: so are the others.
    for (const Offsets& offsets : admin_.OffsetsOf(topic, partitions)) {
      begins.push_back(offsets.high);
    }
  }
  if (place.partition < partitions) begins[static_cast<std::size_t>(place.partition)] = own;
  return begins;
}

std::vector<TopicReader::Range> TopicReader::RangesFor(const std::string& topic, int partitions,
                                                       const ScanOptions& options) {
  std::vector<Range> ranges;
  for (const Offsets& offsets : admin_.OffsetsOf(topic, partitions)) {
    ranges.push_back({offsets.low, offsets.high});
  }
  const auto not_before = [&](const std::vector<std::int64_t>& begins) {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      ranges[i].begin = std::max(ranges[i].begin, begins[i]);
    }
  };
  if (!options.after.empty()) {
    if (const std::optional<Place> place = ParsePlace(options.after)) {
      not_before(Behind(topic, partitions, *place, options.inclusive));
    } else if (const auto time = ParseMilliseconds(options.after); time && options.inclusive) {
      not_before(admin_.OffsetsAt(topic, partitions, *time));
    } else {
      ThrowNoPlace(options.after);
    }
  }
  if (options.since) {
    const std::int64_t microseconds = std::max<std::int64_t>(FromBusTime(options.since), 0);
    not_before(admin_.OffsetsAt(topic, partitions, microseconds / 1000));
  }
  return ranges;
}

void TopicReader::Scan(const std::string& topic, const ScanOptions& options,
                       const OnDelivery& on_message) {
  const std::optional<int> partitions = admin_.FindPartitions(topic);
  if (!partitions) return;
  // One message is looked for at a place: the others need not be asked.
  const std::optional<Place> place = ParsePlace(options.after);
  if (place && options.inclusive && options.limit == 1 && !options.since) {
    std::vector<Range> ranges(static_cast<std::size_t>(*partitions));
    if (place->partition >= *partitions) return;
    const auto partition = static_cast<std::size_t>(place->partition);
    const Offsets offsets = admin_.OffsetsOf(topic, *partitions)[partition];
    if (place->offset >= offsets.low && place->offset < offsets.high) {
      ranges[partition] = {place->offset, offsets.high};
      return Merge(topic, options.stream, std::move(ranges), 1, on_message);
    }
  }
  Merge(topic, options.stream, RangesFor(topic, *partitions, options), options.limit, on_message);
}

void TopicReader::Read(const std::string& topic, const std::string& stream, std::string_view after,
                       std::size_t count, const OnDelivery& on_message) {
  const std::optional<int> partitions = admin_.FindPartitions(topic);
  if (!partitions) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0607", "there is no stream " + stream,
                "`summa-host bus streams` lists the streams");
  }
  ScanOptions options;
  options.after = after;
  std::vector<Range> ranges = RangesFor(topic, *partitions, options);
  std::uint64_t skip = 0;
  if (after.empty()) {
    std::uint64_t held = 0;
    for (Range& range : ranges) {
      range.begin = std::max(range.begin, range.end - static_cast<std::int64_t>(count));
      held += static_cast<std::uint64_t>(range.end - range.begin);
    }
    skip = held > count ? held - count : 0;
  }
  Merge(topic, stream, std::move(ranges), skip + count, [&](const summa_bus_delivery& delivery) {
    if (skip > 0) {
      --skip;
      return true;
    }
    return on_message(delivery);
  });
}

summa_bus_horizon TopicReader::Horizon(const std::string& topic,
                                       std::chrono::microseconds retention,
                                       std::chrono::milliseconds ahead) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  summa_bus_horizon horizon = EmptyHorizon();
  const auto now =
      duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch() + ahead);
  horizon.now_microseconds = now.count();
  const std::optional<int> partitions = admin_.FindPartitions(topic);
  if (!partitions) return horizon;
  horizon.exists = 1;
  std::optional<std::int64_t> oldest, complete_since, newest;
  const std::vector<Offsets> all = admin_.OffsetsOf(topic, *partitions);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto partition = static_cast<std::int32_t>(i);
    horizon.removed += static_cast<std::uint64_t>(all[i].low);
    horizon.held += static_cast<std::uint64_t>(all[i].high - all[i].low);
    if (all[i].low == all[i].high) {
      if (all[i].low == 0) continue;
      // Everything of it was removed: what retention keeps was not among it.
      const std::int64_t kept = (now - retention).count() / 1000;
      complete_since = std::max(complete_since.value_or(kept), kept);
      continue;
    }
    const auto first = TimeAt(topic, {partition, all[i].low});
    const auto last = TimeAt(topic, {partition, all[i].high - 1});
    if (first && (!oldest || *first < *oldest)) oldest = first;
    if (first && all[i].low > 0) complete_since = std::max(complete_since.value_or(*first), *first);
    if (last && (!newest || *last > *newest)) newest = last;
  }
  // Partitions are trimmed separately: what entered later than this is there in each of them.
  if (oldest && complete_since) oldest = std::max(*oldest, *complete_since);
  if (oldest) horizon.oldest_microseconds = *oldest * 1000;
  if (newest) {
    horizon.newest_microseconds = *newest * 1000;
    horizon.now_microseconds = std::max(horizon.now_microseconds, horizon.newest_microseconds);
  }
  return horizon;
}

std::vector<std::int64_t> TopicReader::Resolve(const std::string& topic, int partitions,
                                               std::string_view place) {
  const std::vector<Offsets> offsets = admin_.OffsetsOf(topic, partitions);
  std::vector<std::int64_t> found;
  found.reserve(offsets.size());
  if (place == "0" || place == "$") {
    for (const Offsets& each : offsets) found.push_back(place == "0" ? each.low : each.high);
    return found;
  }
  const std::optional<Place> named = ParsePlace(place);
  if (named && named->partition < partitions) return Behind(topic, partitions, *named, false);
  if (const auto time = ParseMilliseconds(place)) return admin_.OffsetsAt(topic, partitions, *time);
  ThrowNoPlace(place);
}

}  // namespace summa::bus_kafka
