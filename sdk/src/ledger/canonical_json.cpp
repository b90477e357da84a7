#include <summa/error.hpp>
#include <summa/ledger/canonical_json.hpp>

#include <simdjson.h>

#include <algorithm>
#include <compare>
#include <cstring>
#include <string>
#include <vector>

#include "canonical_number.hpp"

namespace summa::ledger {
namespace {

namespace ondemand = simdjson::ondemand;

[[noreturn]] void Refuse(const std::string& why) {
  throw Error(SUMMA_E_DATA, "SH-0801", "the document is not JSON: " + why,
              "Check event_data of the event; what PostgreSQL stores as jsonb is always readable");
}

void Require(simdjson::error_code error) {
  if (error != simdjson::SUCCESS) Refuse(simdjson::error_message(error));
}

std::string_view TrimRight(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\t' ||
                           text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

// Compares by UTF-16 code units, told from UTF-8: the only difference is that U+E000..U+FFFF (bytes
// EE and EF) come after the characters of four bytes (F0..F4).
std::strong_ordering CompareUtf16(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  std::size_t at = 0;
  while (at < common && a[at] == b[at]) ++at;
  if (at == common) return a.size() <=> b.size();
  unsigned left = static_cast<unsigned char>(a[at]), right = static_cast<unsigned char>(b[at]);
  if (left >= 0xEE && right >= 0xEE) {
    if (left < 0xF0) left += 0x10;
    if (right < 0xF0) right += 0x10;
  }
  return left <=> right;
}

void AppendString(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr char kShort[] = "btn\0fr";  // of \b to \r
  out += '"';
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, copied, at - copied);
    copied = at + 1;
    out += '\\';
    if (byte == '"' || byte == '\\') {
      out += text[at];
    } else if (byte >= '\b' && byte <= '\r' && byte != '\v') {
      out += kShort[byte - '\b'];
    } else {
      out.append("u00");
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out.append(text, copied, text.size() - copied);
  out += '"';
}

struct Member {
  std::string_view key;            // decoded; points into the document or the parser's buffer
  std::size_t begin = 0, end = 0;  // of "key":value in the text written so far
};

class Writer {
 public:
  Writer(std::string& out, std::vector<Member>& members, std::string& sorted)
      : out_(out), members_(members), sorted_(sorted) {}

  void Value(ondemand::value value, int level) {
    ondemand::json_type type{};
    Require(value.type().get(type));
    switch (type) {
      case ondemand::json_type::object: {
        ondemand::object object;
        Require(value.get_object().get(object));
        return Object(object, level + 1);
      }
      case ondemand::json_type::array: {
        ondemand::array array;
        Require(value.get_array().get(array));
        return Array(array, level + 1);
      }
      case ondemand::json_type::string:
        return String(value);
      default:
        return Scalar(TrimRight(value.raw_json_token()));
    }
  }

  void Object(ondemand::object object, int level) {
    Enter(level);
    const std::size_t first = members_.size(), start = out_.size();
    bool in_order = true;
    out_ += '{';
    for (auto next : object) {
      ondemand::field field;
      Require(std::move(next).get(field));
      const bool alone = members_.size() == first;
      if (!alone) out_ += ',';
      const std::size_t begin = out_.size();
      const std::string_view key = Key(field);
      out_ += ':';
      in_order = in_order && (alone || std::is_lt(CompareUtf16(members_.back().key, key)));
      Value(field.value(), level);
      members_.push_back({key, begin, out_.size()});
    }
    out_ += '}';
    if (!in_order) Sort(first, start);
    members_.resize(first);
  }

  void Array(ondemand::array array, int level) {
    Enter(level);
    out_ += '[';
    bool first = true;
    for (auto element : array) {
      if (!first) out_ += ',';
      first = false;
      Value(element.value(), level);
    }
    out_ += ']';
  }

  void Scalar(std::string_view token) {
    if (token == "true" || token == "false" || token == "null") {
      out_.append(token);
    } else if (!AppendNumber(token, out_)) {
      Refuse("unexpected " + std::string(token.substr(0, 40)));
    }
  }

 private:
  static void Enter(int level) {
    if (level > kMaxJsonLevels) Refuse("more than 1000 levels");
  }

  // Writes the name of a member and gives it decoded. Like any string it is its own canonical text
  // when it has no escape.
  std::string_view Key(ondemand::field& field) {
    const char* const raw = field.key().raw();  // behind the quote
    std::size_t size = 0;
    while (raw[size] != '"' && raw[size] != '\\') ++size;
    if (raw[size] == '"') {
      out_.append(raw - 1, size + 2);
      return {raw, size};
    }
    std::string_view key;
    Require(field.unescaped_key().get(key));
    AppendString(key, out_);
    return key;
  }

  // What has no escape is its own canonical text; jsonb has few.
  void String(ondemand::value value) {
    const std::string_view token = TrimRight(value.raw_json_token());
    std::string_view text;
    if (std::memchr(token.data(), '\\', token.size()) == nullptr) {
      // Taken from the parser as well: it passes over a string that was only looked at, and takes
      // one before a colon for a key, with whatever follows it.
      Require(value.get_raw_json_string().error());
      out_.append(token);
      return;
    }
    Require(value.get_string().get(text));
    AppendString(text, out_);
  }

  // Rewrites the members from `first` on, whose object starts at `start`, in order; of equal names
  // only the last is kept.
  void Sort(std::size_t first, std::size_t start) {
    const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
    // By their place as well: std::stable_sort would allocate for every event.
    std::sort(begin, members_.end(), [](const Member& a, const Member& b) {
      const auto order = CompareUtf16(a.key, b.key);
      return std::is_eq(order) ? a.begin < b.begin : std::is_lt(order);
    });
    sorted_.clear();
    sorted_ += '{';
    for (auto member = begin; member != members_.end(); ++member) {
      if (member + 1 != members_.end() && member->key == (member + 1)->key) continue;
      if (sorted_.size() > 1) sorted_ += ',';
      sorted_.append(out_, member->begin, member->end - member->begin);
    }
    sorted_ += '}';
    out_.resize(start);
    out_.append(sorted_);
  }

  std::string& out_;
  std::vector<Member>& members_;  // a stack: those of the open objects
  std::string& sorted_;
};

}  // namespace

struct Canonicalizer::State {
  // Copies the text to where simdjson may read some bytes beyond its end. A scalar is wrapped in an
  // array, which on-demand parsing treats like any other document.
  ondemand::document Parse(std::string_view json) {
    const std::size_t first = json.find_first_not_of(" \t\r\n");
    scalar = first == std::string_view::npos || (json[first] != '{' && json[first] != '[');
    input.clear();
    input.reserve(json.size() + 2 + simdjson::SIMDJSON_PADDING);
    if (scalar) input += '[';
    input.append(json);
    if (scalar) input += ']';
    ondemand::document document;
    Require(parser.iterate(input.data(), input.size(), input.capacity()).get(document));
    return document;
  }

  void Write(std::string_view json) {
    ondemand::document document = Parse(json);
    out.clear();
    members.clear();
    Writer writer(out, members, sorted);
    if (scalar) {
      WriteScalar(document, writer);
    } else if (input[input.find_first_not_of(" \t\r\n")] == '{') {
      ondemand::object object;
      Require(document.get_object().get(object));
      writer.Object(object, 1);
    } else {
      ondemand::array array;
      Require(document.get_array().get(array));
      writer.Array(array, 1);
    }
    const char* rest = nullptr;
    if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) {
      Refuse("something follows the document");
    }
  }

  void WriteScalar(ondemand::document& document, Writer& writer) {
    ondemand::array array;
    Require(document.get_array().get(array));
    int count = 0;
    for (auto element : array) {
      if (++count > 1) break;
      writer.Value(element.value(), 0);
    }
    if (count != 1) Refuse("it is empty, or more than one value");
  }

  ondemand::parser parser;
  std::string input, out, sorted, inner;
  std::vector<Member> members;
  bool scalar = false;
};

Canonicalizer::Canonicalizer() : state_(std::make_unique<State>()) {}
Canonicalizer::~Canonicalizer() = default;
Canonicalizer::Canonicalizer(Canonicalizer&&) noexcept = default;
Canonicalizer& Canonicalizer::operator=(Canonicalizer&&) noexcept = default;

std::string_view Canonicalizer::Canonical(std::string_view json) {
  try {
    state_->Write(json);
  } catch (const simdjson::simdjson_error& error) {
    Refuse(error.what());
  }
  return state_->out;
}

std::string_view Canonicalizer::EventData(std::string_view json) {
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || json[first] != '"') return Canonical(json);
  Canonical(json);  // refuses what is not JSON
  ondemand::document document = state_->Parse(json);
  std::string_view text;
  Require(document.at(0).get_string().get(text));
  state_->inner = text;
  return Canonical(state_->inner);
}

}  // namespace summa::ledger
