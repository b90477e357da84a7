// The plugin's configuration, already checked against its manifest and with defaults filled in.
#pragma once

#include <summa/error.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <system_error>
#include <vector>

namespace summa {

namespace detail {

// The whole text as a decimal number, whatever the locale.
inline std::optional<double> ToNumber(std::string_view text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace detail

// Valid only during Plugin::Configure and Reload. Paths are dotted: "retry.max". [main]
class Config {
 public:
  explicit Config(const summa_config* config) : config_(config) {}

  std::optional<std::string> Find(std::string_view path) const {
    summa_str value{};
    if (config_->get(config_->self, ToAbi(path), &value) == 0) return std::nullopt;
    return std::string(FromAbi(value));
  }
  // The value of a key that has a default or is required in the manifest; SUMMA_E_CONFIG otherwise.
  std::string String(std::string_view path) const {
    if (auto value = Find(path)) return *std::move(value);
    throw Error(SUMMA_E_CONFIG, "", "configuration key " + std::string(path) + " has no value",
                "give it a default in the manifest, or set it");
  }
  std::int64_t Integer(std::string_view path) const {
    const std::string text = String(path);
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size()) {
      throw Error(SUMMA_E_CONFIG, "",
                  "configuration key " + std::string(path) + " is not an integer");
    }
    return value;
  }
  // Of the type `number`.
  double Number(std::string_view path) const {
    const std::string text = String(path);
    if (const auto value = detail::ToNumber(text)) return *value;
    throw Error(SUMMA_E_CONFIG, "", "configuration key " + std::string(path) + " is not a number");
  }
  bool Boolean(std::string_view path) const { return String(path) == "true"; }
  std::chrono::microseconds Duration(std::string_view path) const {
    return std::chrono::microseconds(Integer(path));
  }
  std::size_t Size(std::string_view path) const { return static_cast<std::size_t>(Integer(path)); }
  // Members of a map, or "0".."n-1" of a list.
  std::vector<std::string> Keys(std::string_view path) const {
    const summa_str* names = nullptr;
    const std::size_t count = config_->keys(config_->self, ToAbi(path), &names);
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) keys.emplace_back(FromAbi(names[i]));
    return keys;
  }
  // The values of a list; none when it is absent.
  std::vector<std::string> Strings(std::string_view path) const {
    std::vector<std::string> values;
    for (const std::string& key : Keys(path))
      values.push_back(String(std::string(path) + "." + key));
    return values;
  }

 private:
  const summa_config* config_;
};

}  // namespace summa
