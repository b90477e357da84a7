#include <array>

#include "partition/plan.hpp"

namespace summa::maintenance {

namespace {

bool Bounded(DatabaseTime bound) {
  return bound != DatabaseTime::min() && bound != DatabaseTime::max();
}

void WriteBound(const char* key, DatabaseTime bound, JsonWriter& json) {
  json.Key(key);
  if (Bounded(bound)) {
    json.Value(BoundText(bound));
  } else {
    json.Null();
  }
}

void WriteRange(const std::string& name, DatabaseTime from, DatabaseTime to, JsonWriter& json) {
  json.Key("name").Value(name);
  WriteBound("from", from, json);
  WriteBound("to", to, json);
}

}  // namespace

const char* NameOf(ActionKind kind) {
  constexpr std::array<const char*, 7> kNames = {"finish-detach", "undo-detach", "create",
                                                 "move-overflow", "drain",       "create-overflow",
                                                 "detach"};
  return kNames[static_cast<std::size_t>(kind)];
}

const char* NameOf(AlarmKind kind) {
  constexpr std::array<const char*, 5> kNames = {"runway", "default-partition", "overflow-rows",
                                                 "gap", "no-room"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string BoundText(DatabaseTime bound) {
  if (bound == DatabaseTime::min()) return "MINVALUE";
  if (bound == DatabaseTime::max()) return "MAXVALUE";
  std::string text = IsoText(bound);
  if (const std::size_t zeros = text.find(".000000Z"); zeros != std::string::npos) {
    text.replace(zeros, std::string::npos, "Z");
  }
  return text;
}

std::string TextOf(const Action& action) {
  std::string text = std::string(NameOf(action.kind)) + " " + action.name + ", " +
                     BoundText(action.from) + " to " + BoundText(action.to);
  for (const NewRange& added : action.ranges) {
    text += ", create " + added.name + ", " + BoundText(added.range.from) + " to " +
            BoundText(added.range.to);
  }
  return text + ": " + action.reason;
}

void Write(const Action& action, const std::string& table, JsonWriter& json) {
  json.BeginObject().Key("table").Value(table).Key("kind").Value(NameOf(action.kind));
  WriteRange(action.name, action.from, action.to, json);
  json.Key("ranges").BeginArray();
  for (const NewRange& added : action.ranges) {
    json.BeginObject();
    WriteRange(added.name, added.range.from, added.range.to, json);
    json.EndObject();
  }
  json.EndArray().Member("remainder", action.remainder).Member("reason", action.reason);
  json.EndObject();
}

}  // namespace summa::maintenance
