#include "plugins/bus-kafka/record.hpp"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cstring>
#include <summa/bus_envelope.hpp>
#include <summa/bus_types.hpp>
#include <summa/json.hpp>
#include <utility>

namespace summa::bus_kafka {
namespace {

constexpr std::size_t kOverheadBytes = 512;  // of the batch, the record and the names of headers

// A copy with the room that simdjson reads behind the end.
class Padded {
 public:
  const char* data() const { return bytes_.data(); }
  simdjson::padded_string_view Copy(std::string_view text) {
    if (bytes_.size() < text.size() + simdjson::SIMDJSON_PADDING) {
      bytes_.resize(2 * text.size() + simdjson::SIMDJSON_PADDING);
    }
    std::memcpy(bytes_.data(), text.data(), text.size());
    return simdjson::padded_string_view(bytes_.data(), text.size(), bytes_.size());
  }

 private:
  std::string bytes_;
};

struct HeaderSizes {
  std::string_view id, type, redriven, note;
};

HeaderSizes ReadHeaders(const rd_kafka_message_t& message, std::int64_t& position) {
  HeaderSizes found;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return found;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    const std::string_view text(static_cast<const char*>(value), value == nullptr ? 0 : size);
    const std::string_view which = name;
    if (which == "id") {
      found.id = text;
    } else if (which == "type") {
      found.type = text;
    } else if (which == "redriven") {
      found.redriven = text;
    } else if (which == "note") {
      found.note = text;
    } else if (which == "position") {
      ReadInteger(text, position);
    }
  }
  return found;
}

}  // namespace

struct RecordEncoder::Parser {
  simdjson::dom::parser parser;
  Padded padded;
};

RecordEncoder::RecordEncoder() : parser_(std::make_unique<Parser>()) {}
RecordEncoder::~RecordEncoder() = default;

bool RecordEncoder::Encode(const summa_bus_message& message, std::string& value) {
  const std::string_view payload = FromAbi(message.payload);
  if (!payload.empty()) {
    const auto padded = parser_->padded.Copy(payload);
    if (parser_->parser.parse(padded.data(), padded.length(), false).error() != simdjson::SUCCESS) {
      return false;
    }
  }
  JsonWriter json;
  std::array<char, 24> number{};
  json.BeginObject();
  ForEachField(message, number, [&](std::string_view name, std::string_view field) {
    if (name == "redriven" || name == "note") return;
    if (name == "payload") {
      if (!payload.empty()) json.Key(name).Raw(field);
    } else if (name == "position") {
      json.Key(name).Raw(field);
    } else {
      json.Member(name, field);
    }
  });
  value = json.EndObject().Take();
  return true;
}

std::size_t OverheadBytes(const summa_bus_message& message) {
  return kOverheadBytes + message.key.size + message.id.size + message.type.size +
         message.redriven.size + message.note.size;
}

rd_kafka_headers_t* MakeHeaders(const summa_bus_message& message) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(kEnvelopeFields);
  std::array<char, 24> number{};
  ForEachField(message, number, [&](std::string_view name, std::string_view field) {
    if (name != "id" && name != "type" && name != "position" && name != "redriven" &&
        name != "note") {
      return;
    }
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), field.data(),
                        static_cast<ssize_t>(field.size()));
  });
  return headers;
}

StoredRecord::StoredRecord(const rd_kafka_message_t& message, std::string used_before)
    : partition(message.partition), offset(message.offset), text(std::move(used_before)) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  milliseconds = rd_kafka_message_timestamp(&message, &type);
  const HeaderSizes headers = ReadHeaders(message, position);
  key_size = message.key == nullptr ? 0 : message.key_len;
  value_size = message.payload == nullptr ? 0 : message.len;
  id_size = headers.id.size();
  type_size = headers.type.size();
  redriven_size = headers.redriven.size();
  note_size = headers.note.size();
  text.clear();
  text.reserve(key_size + value_size + id_size + type_size + redriven_size + note_size +
               simdjson::SIMDJSON_PADDING);
  if (key_size > 0) text.append(static_cast<const char*>(message.key), key_size);
  if (value_size > 0) text.append(static_cast<const char*>(message.payload), value_size);
  text.append(headers.id).append(headers.type).append(headers.redriven).append(headers.note);
  text.append(simdjson::SIMDJSON_PADDING, ' ');
}

bool IsForGroup(const StoredRecord& record, std::string_view group) {
  const std::string_view meant = record.Redriven();
  return meant.empty() || meant == SUMMA_BUS_EVERYBODY || meant == group;
}

struct RecordDecoder::Parser {
  simdjson::ondemand::parser parser;
};

RecordDecoder::RecordDecoder() : parser_(std::make_unique<Parser>()) {}
RecordDecoder::~RecordDecoder() = default;

namespace {

std::string_view RawJson(simdjson::ondemand::value value) {
  const std::string_view raw = simdjson::to_json_string(value);
  return raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1);
}

// Both numbers of a place and the colon fit.
using PlaceText = std::array<char, 40>;

// Where the number ends.
std::size_t Write(std::int64_t number, PlaceText& text, std::size_t at) {
  const auto written = std::to_chars(&text[at], &text.back(), number);
  return static_cast<std::size_t>(written.ptr - text.data());
}

}  // namespace

summa_str RecordDecoder::Keep(std::string_view text) {
  if (text.empty()) return ToAbi("");
  auto* copy = static_cast<char*>(texts_.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return ToAbi(std::string_view(copy, text.size()));
}

// As Place::Text() writes it.
summa_str RecordDecoder::KeepPlace(const StoredRecord& record) {
  PlaceText text{};
  std::size_t size = Write(record.partition, text, 0);
  text[size++] = ':';
  size = Write(record.offset, text, size);
  return Keep(std::string_view(text.data(), size));
}

summa_bus_delivery RecordDecoder::Decode(const StoredRecord& record, std::string_view stream) {
  summa_bus_delivery delivery{};
  summa_bus_message& message = delivery.message;
  message.stream = ToAbi(stream);
  message.position = record.position;
  message.key = ToAbi(record.Key());
  message.id = ToAbi(record.Id());
  message.type = ToAbi(record.Type());
  message.redriven = ToAbi(record.Redriven());
  message.note = ToAbi(record.Note());
  message.payload = ToAbi(record.Value());
  delivery.delivery_count = 1;
  delivery.partition = static_cast<std::uint32_t>(record.partition);
  delivery.entered_at_microseconds =
      record.milliseconds < 0 ? SUMMA_BUS_NO_TIME : record.milliseconds * 1000;
  delivery.delivery_id = KeepPlace(record);
  if (message.id.size == 0) {
    message.id = delivery.delivery_id;  // somebody else wrote it
    return delivery;
  }
  message.payload = {};
  try {
    const std::string_view value = record.Value();
    auto document = parser_->parser.iterate(
        simdjson::padded_string_view(value.data(), value.size(), record.ReadableFromValue()));
    for (auto field : document.get_object()) {
      const std::string_view name = field.unescaped_key();
      simdjson::ondemand::value content = field.value();
      if (name == "payload") {
        message.payload = ToAbi(RawJson(content));  // within the record
      } else if (name == "timestamp") {
        message.timestamp = Keep(std::string_view(content.get_string()));
      } else if (name == "correlationId") {
        message.correlation_id = Keep(std::string_view(content.get_string()));
      }
    }
  } catch (const simdjson::simdjson_error&) {
    message.payload = ToAbi(record.Value());
  }
  return delivery;
}

}  // namespace summa::bus_kafka
