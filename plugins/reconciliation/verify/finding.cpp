#include "finding.hpp"

namespace summa::verify {
namespace {

void WriteNumber(JsonWriter& json, std::string_view name,
                 const std::optional<std::int64_t>& value) {
  json.Key(name);
  if (value) {
    json.Value(*value);
  } else {
    json.Null();
  }
}

}  // namespace

void Write(JsonWriter& json, const Finding& finding) {
  json.BeginObject()
      .Member("kind", finding.kind)
      .TextOrNull("step", finding.step)
      .TextOrNull("aggregateType", finding.aggregate_type)
      .TextOrNull("aggregateId", finding.aggregate_id);
  WriteNumber(json, "version", finding.version);
  json.TextOrNull("eventId", finding.event_id);
  WriteNumber(json, "position", finding.position);
  WriteNumber(json, "blockSequence", finding.block_sequence);
  json.TextOrNull("accountId", finding.account_id)
      .TextOrNull("transactionId", finding.transaction_id)
      .TextOrNull("expected", finding.expected)
      .TextOrNull("found", finding.found);
  json.Key("candidates").BeginArray();
  for (const std::string& candidate : finding.candidates) json.Value(candidate);
  json.EndArray().EndObject();
}

}  // namespace summa::verify
