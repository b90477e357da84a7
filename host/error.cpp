#include "host/error.hpp"

namespace summa::host {

std::string ToText(const Error& error) {
  std::string text = error.code;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " ") + part; };
  if (!error.where.empty()) add(error.where + ":");
  add(error.message);
  if (!error.message.empty() &&
      std::string_view(".?!").find(text.back()) == std::string_view::npos) {
    text += ".";
  }
  if (!error.hint.empty()) {
    add("Fix: " + error.hint);
    if (std::string_view(".?!").find(text.back()) == std::string_view::npos) text += ".";
  }
  return text;
}

}  // namespace summa::host
