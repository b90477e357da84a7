// Verbs that a plugin adds to the command line.
#pragma once

#include <summa/abi/command.h>
#include <summa/config.hpp>
#include <summa/error.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace summa {

// One call of a verb; valid while the function runs. [main]
class CommandCall {
 public:
  explicit CommandCall(const summa_command_call* call) : call_(call) {}
  const summa_sql_v1* sql() const { return call_->sql; }
  std::optional<std::string> Option(std::string_view name) const {
    summa_str value{};
    if (call_->option(call_, ToAbi(name), &value) == 0) return std::nullopt;
    return std::string(FromAbi(value));
  }
  std::optional<std::int64_t> IntegerOption(
      std::string_view name) const {  // also durations (us), sizes
    const auto text = Option(name);
    if (!text) return std::nullopt;
    std::int64_t value = 0;
    std::from_chars(text->data(), text->data() + text->size(), value);
    return value;
  }
  std::optional<double> NumberOption(std::string_view name) const {
    const auto text = Option(name);
    return text ? detail::ToNumber(*text) : std::nullopt;
  }
  bool Flag(std::string_view name) const { return Option(name) == "true"; }
  bool ShouldStop() const { return call_->should_stop(call_) != 0; }
  bool Wait(std::chrono::microseconds time) const { return call_->wait(call_, time.count()) != 0; }
  void Emit(std::string_view json_object) const { call_->emit(call_, ToAbi(json_object)); }
  void Progress(std::string_view label, std::int64_t done, std::int64_t total = 0) const {
    call_->progress(call_, ToAbi(label), done, total);
  }

 private:
  const summa_command_call* call_;
};

struct CommandResult {
  std::string json = "{}";  // one JSON object
  bool finding = false;     // a check found something: exit 1
};

using CommandFunction = std::function<CommandResult(const CommandCall&)>;

}  // namespace summa
