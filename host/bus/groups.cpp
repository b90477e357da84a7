#include "host/bus/groups.hpp"

#include <optional>
#include <string>
#include <summa/error.hpp>
#include <summa/json.hpp>

namespace summa::host {
namespace {

// What the verb names.
struct Named {
  explicit Named(const CommandCall& call)
      : stream(call.Option("stream").value_or("")), group(call.Option("group").value_or("")) {}

  CommandResult Result() const {
    JsonWriter json;
    json.BeginObject().Member("stream", stream).Member("group", group).EndObject();
    return {json.Take(), false};
  }

  const std::string stream, group;
};

// What the group still has to handle; an unknown lag counts as work left.
class Needed final : public BusVisitor {
 public:
  explicit Needed(std::string_view group) : group_(group) {}
  bool Group(const summa_bus_group& group) override {
    if (FromAbi(group.name) != group_) return true;
    if (group.pending > 0 || group.lag != 0) pending_ = group.pending;
    return false;
  }
  const std::optional<std::int64_t>& pending() const { return pending_; }

 private:
  const std::string_view group_;
  std::optional<std::int64_t> pending_;
};

void RequireHandled(const BusClient& bus, const Named& named) {
  Needed needed(named.group);
  bus.Groups(named.stream, needed);
  if (!needed.pending()) return;
  std::string text = "the group " + named.group + " has not handled everything of ";
  text.append(named.stream).append(": ");
  text.append(*needed.pending() < 0 ? "some" : std::to_string(*needed.pending()));
  text.append(" pending");
  throw summa::Error(SUMMA_E_USAGE, "SH-0611", text, "let it catch up, or add --force");
}

}  // namespace

CommandResult CreateGroup(const BusClient& bus, const CommandCall& call) {
  const Named named(call);
  bus.CreateGroup(named.stream, named.group, call.Option("from").value_or("0"));
  return named.Result();
}

CommandResult DeleteGroup(const BusClient& bus, const CommandCall& call) {
  const Named named(call);
  if (!call.Flag("force")) RequireHandled(bus, named);
  bus.DeleteGroup(named.stream, named.group);
  return named.Result();
}

CommandResult ResetGroup(const BusClient& bus, const CommandCall& call) {
  const Named named(call);
  bus.Seek(named.stream, named.group, call.Option("from").value_or("0"));
  return named.Result();
}

}  // namespace summa::host
