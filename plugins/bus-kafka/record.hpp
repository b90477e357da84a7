// A message as a record of Kafka: the value is one JSON object with the fields of the message, its
// payload as JSON within it; what only this bus needs (redriven, note) is in headers.
//
//   key: KEY
//   headers: id, type, position [, redriven, note]
//   value: {"id":..,"type":..,"payload":{..},"timestamp":..,"key":.. [,"position":..]
//           [,"correlationId":..]}
#pragma once

#include <librdkafka/rdkafka.h>

#include <summa/abi/bus.h>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>

namespace summa::bus_kafka {

// The value of a message. Not thread-safe: keeps its memory for the next one.
class RecordEncoder {
 public:
  RecordEncoder();
  ~RecordEncoder();
  RecordEncoder(const RecordEncoder&) = delete;
  RecordEncoder& operator=(const RecordEncoder&) = delete;

  // False: the payload is not JSON.
  bool Encode(const summa_bus_message& message, std::string& value);

 private:
  struct Parser;
  const std::unique_ptr<Parser> parser_;
};

// Headers and key besides the value, in bytes, generously.
std::size_t OverheadBytes(const summa_bus_message& message);

// Headers of a message; owned by whoever calls, until produce takes them.
rd_kafka_headers_t* MakeHeaders(const summa_bus_message& message);

// A record that is kept after librdkafka has forgotten it. Bytes are copied once.
struct StoredRecord {
  // The text of a record that is not needed any more lends its memory.
  explicit StoredRecord(const rd_kafka_message_t& message, std::string used_before = {});
  std::size_t bytes() const { return text.size(); }

  std::int32_t partition;
  std::int64_t offset;
  std::int64_t milliseconds;  // when it entered; -1: unknown
  // All of the following, one after the other, and behind them the room that simdjson reads.
  std::string text;
  std::size_t key_size = 0, value_size = 0, id_size = 0, type_size = 0, redriven_size = 0,
              note_size = 0;
  std::int64_t position = SUMMA_BUS_NO_POSITION;

  std::string_view Key() const { return Part(0, key_size); }
  std::string_view Value() const { return Part(key_size, value_size); }
  std::size_t ReadableFromValue() const { return text.size() - key_size; }
  std::string_view Id() const { return Part(key_size + value_size, id_size); }
  std::string_view Type() const { return Part(key_size + value_size + id_size, type_size); }
  std::string_view Redriven() const {
    return Part(key_size + value_size + id_size + type_size, redriven_size);
  }
  std::string_view Note() const {
    return Part(key_size + value_size + id_size + type_size + redriven_size, note_size);
  }

 private:
  std::string_view Part(std::size_t from, std::size_t size) const {
    return std::string_view(text).substr(from, size);
  }
};

// Whether a message that was redriven for one group is meant for this one.
bool IsForGroup(const StoredRecord& record, std::string_view group);

// Makes deliveries of records. Not thread-safe.
class RecordDecoder {
 public:
  RecordDecoder();
  ~RecordDecoder();
  RecordDecoder(const RecordDecoder&) = delete;
  RecordDecoder& operator=(const RecordDecoder&) = delete;

  // Borrows from the record and the stream, and from this object until Forget(). A record that
  // somebody else wrote has its value as payload, and its place as id when it has none.
  summa_bus_delivery Decode(const StoredRecord& record, std::string_view stream);
  void Forget() { texts_.release(); }

 private:
  struct Parser;
  summa_str Keep(std::string_view text);
  summa_str KeepPlace(const StoredRecord& record);
  const std::unique_ptr<Parser> parser_;
  std::pmr::monotonic_buffer_resource texts_{4096};
};

}  // namespace summa::bus_kafka
