#include "host/bus/listings.hpp"

#include <optional>
#include <string>
#include <summa/error.hpp>
#include <summa/json.hpp>
#include <vector>

#include "host/abi/foreign_text.hpp"

namespace summa::host {
namespace {

std::string Text(summa_str text) { return AsUtf8(summa::FromAbi(text)); }

std::optional<std::int64_t> Known(std::int64_t number) {
  return number < 0 ? std::nullopt : std::optional(number);
}

// Writes what a bus tells, one object each, into the array that is open.
class Writer final : public BusVisitor {
 public:
  Writer(JsonWriter& json, const CommandCall& call) : json_(json), call_(call) {}

  bool Stream(const summa_bus_stream& stream) override {
    json_.BeginObject().Member("stream", Text(stream.name));
    json_.Member("messages", Known(stream.messages)).Member("groups", Known(stream.groups));
    json_.Member("deadLetters", Known(stream.dead_letters)).EndObject();
    return Continue();
  }
  bool Group(const summa_bus_group& group) override {
    json_.BeginObject().Member("stream", Text(group.stream)).Member("group", Text(group.name));
    json_.Member("consumers", Known(group.readers)).Member("pending", Known(group.pending));
    json_.Member("lag", Known(group.lag)).Member("lastDeliveredId", Text(group.position));
    json_.TextOrNull("lowestPendingId", Text(group.lowest_pending));
    json_.Member("idleSeconds", Known(group.idle_seconds)).EndObject();
    return Continue();
  }
  bool Trimmed(const summa_bus_trimmed& trimmed) override {
    removed_ += trimmed.removed;
    json_.BeginObject().Member("stream", Text(trimmed.stream));
    json_.Member("removed", trimmed.removed).Member("belowId", Text(trimmed.below));
    json_.TextOrNull("heldBy", Text(trimmed.held_by));
    json_.Member("heldSeconds", trimmed.held_seconds).EndObject();
    return Continue();
  }
  bool LeftOut(const summa_bus_left_out& left_out) override {
    left_out_.push_back({Text(left_out.name), Text(left_out.code), Text(left_out.reason)});
    refused_ |= left_out.refused != 0;
    return true;
  }
  bool Progress(std::int64_t looked_at) override {
    call_.Progress("keys examined", looked_at);
    return Continue();
  }

  // Closes the array. True: streams were refused, so the list is not complete.
  bool End() {
    json_.EndArray();
    if (call_.Option("stream")) return false;
    if (stopped_) throw summa::Error(SUMMA_E_CANCELLED, "SH-0904", "told to stop before the end");
    json_.Key("leftOut").BeginArray();
    for (const Left& each : left_out_) {
      json_.BeginObject().Member("key", each.name).Member("code", each.code);
      json_.Member("reason", each.reason).EndObject();
    }
    json_.EndArray();
    return refused_;
  }
  std::int64_t removed() const { return removed_; }

 private:
  struct Left {
    std::string name, code, reason;
  };
  bool Continue() {
    stopped_ = call_.ShouldStop();
    return !stopped_;
  }

  JsonWriter& json_;
  const CommandCall& call_;
  std::vector<Left> left_out_;
  bool refused_ = false, stopped_ = false;
  std::int64_t removed_ = 0;
};

}  // namespace

CommandResult ListStreams(const BusClient& bus, const CommandCall& call) {
  JsonWriter json;
  json.BeginObject().Key("streams").BeginArray();
  Writer writer(json, call);
  bus.Streams(call.Option("stream").value_or(""), writer);
  const bool refused = writer.End();
  return {json.EndObject().Take(), refused};
}

CommandResult ListGroups(const BusClient& bus, const CommandCall& call) {
  JsonWriter json;
  json.BeginObject().Key("groups").BeginArray();
  Writer writer(json, call);
  bus.Groups(call.Option("stream").value_or(""), writer);
  const bool refused = writer.End();
  return {json.EndObject().Take(), refused};
}

CommandResult TrimStreams(const BusClient& bus, const CommandCall& call) {
  const bool dry_run = call.Flag("dry-run");
  JsonWriter json;
  json.BeginObject().Member("dryRun", dry_run).Key("streams").BeginArray();
  Writer writer(json, call);
  bus.Trim(call.Option("stream").value_or(""), dry_run, writer);
  const bool refused = writer.End();
  json.Member("removed", writer.removed()).EndObject();
  return {json.Take(), refused};
}

}  // namespace summa::host
