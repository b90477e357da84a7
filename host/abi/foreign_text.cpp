#include "host/abi/foreign_text.hpp"

#include <simdjson.h>

#include <algorithm>

#include "host/config/text.hpp"
#include "summa/text.hpp"

namespace summa::host {
namespace {

// The C1 controls, which some terminals obey: U+0080 to U+009F.
bool IsC1(std::string_view text, std::size_t at) {
  return at + 1 < text.size() && text[at] == '\xC2' &&
         static_cast<unsigned char>(text[at + 1]) < 0xA0;
}

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string Clean(std::string_view text, std::size_t limit, bool lines_stay) {
  std::string out(Beginning(text, limit));
  for (std::size_t at = 0; at < out.size();) {
    const std::optional<std::size_t> bad = FindInvalidUtf8(std::string_view(out).substr(at));
    const std::size_t end = bad ? at + *bad : out.size();
    for (; at < end; ++at) {
      const auto byte = static_cast<unsigned char>(out[at]);
      if (IsC1(out, at)) {
        out[at] = out[at + 1] = '?';
      } else if (out[at] == '\n' || out[at] == '\t' || out[at] == '\r') {
        if (!lines_stay) out[at] = ' ';
      } else if (byte < 0x20 || byte == 0x7F) {
        out[at] = '?';
      }
    }
    if (bad) out[at++] = '?';
  }
  return out;
}

}  // namespace

std::string CleanText(std::string_view text, std::size_t limit) { return Clean(text, limit, true); }
std::string CleanLine(std::string_view text, std::size_t limit) {
  return Clean(text, limit, false);
}

std::int32_t CleanStatus(std::int32_t status) {
  switch (status) {
    case SUMMA_E_FINDING:
    case SUMMA_E_USAGE:
    case SUMMA_E_DATA:
    case SUMMA_E_NOT_FOUND:
    case SUMMA_E_UNAVAILABLE:
    case SUMMA_E_TRY_LATER:
    case SUMMA_E_DENIED:
    case SUMMA_E_CONFIG:
    case SUMMA_E_FENCED:
    case SUMMA_E_CANCELLED:
      return status;
    default:
      return SUMMA_E_INTERNAL;
  }
}

std::string CleanName(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 64;
  std::string out(name.substr(0, kMaxNameBytes));
  for (char& c : out) {
    if (!IsLetterOrDigit(c) && c != '_' && c != '-' && c != '.') c = '_';
  }
  return out.empty() ? "_" : out;
}

bool IsCode(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == 0 || dash == text.npos || dash + 1 == text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i != dash && (!IsLetterOrDigit(text[i]) || (text[i] >= 'a' && text[i] <= 'z')))
      return false;
  }
  return true;
}

std::optional<std::string> ProblemOfObject(std::string_view json,
                                           std::span<const std::string_view> taken) {
  if (json.find_first_not_of(" \t\r\n") == json.npos) return "there is none";
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const simdjson::padded_string padded(json);
  if (const simdjson::error_code error = parser.parse(padded).get(root)) {
    return std::string("it is not JSON (") + simdjson::error_message(error) + ")";
  }
  simdjson::dom::object object;
  if (root.get(object)) return "it is JSON, but not an object";
  for (const auto field : object) {
    const bool is_taken = std::find(taken.begin(), taken.end(), field.key) != taken.end();
    if (is_taken) return "its member \"" + std::string(field.key) + "\" belongs to the host";
  }
  return std::nullopt;
}

std::string AsUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (;;) {
    const std::optional<std::size_t> bad = FindInvalidUtf8(text);
    result += text.substr(0, bad.value_or(text.size()));
    if (!bad) return result;
    result += "\xEF\xBF\xBD";
    text.remove_prefix(*bad + 1);
  }
}

bool IsJsonLine(std::string_view text) {
  constexpr std::size_t kMaxLevels = 128;
  if (text.empty() || text.find_first_of("\r\n") != text.npos) return false;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.allocate(text.size(), kMaxLevels)) return false;
  const simdjson::padded_string padded(text);
  return !parser.parse(padded).get(root);
}

void ForeignJson::Write(void* self, summa_str text) noexcept {
  auto* json = static_cast<ForeignJson*>(self);
  if (text.data == nullptr) return;
  if (text.size > json->limit_ - json->text_.size()) {
    json->too_long_ = true;
    return;
  }
  try {
    json->text_.append(text.data, text.size);
  } catch (...) {
    json->too_long_ = true;
  }
}

std::optional<std::string> ForeignJson::Problem(std::span<const std::string_view> taken) const {
  if (too_long_) return "it has more than " + std::to_string(limit_) + " bytes";
  return ProblemOfObject(text_, taken);
}

}  // namespace summa::host
