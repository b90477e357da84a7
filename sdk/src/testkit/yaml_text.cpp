#include "yaml_text.hpp"

#include <algorithm>
#include <stdexcept>

namespace summa::testkit::yaml {
namespace {

struct Line {
  std::size_t number;
  std::size_t indent;
  std::string text;  // without indent and comment
};

std::string Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin));
}

// Where the quotes and brackets of a text are.
class Scanner {
 public:
  // Whether the character is outside of quotes.
  bool Next(char c) {
    if (quote_ != '\0') {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\' && quote_ == '"') {
        escaped_ = true;
      } else if (c == quote_) {
        quote_ = '\0';
      }
      return false;
    }
    if (c == '"' || c == '\'') {
      quote_ = c;
      return false;
    }
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') --depth_;
    return true;
  }
  int depth() const { return depth_; }

 private:
  char quote_ = '\0';
  bool escaped_ = false;
  int depth_ = 0;
};

std::string WithoutComment(std::string_view text) {
  Scanner scanner;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool plain = scanner.Next(text[i]);
    if (plain && text[i] == '#' && (i == 0 || text[i - 1] == ' '))
      return std::string(text.substr(0, i));
  }
  return std::string(text);
}

// Lines that say something; what is in brackets is one line.
std::vector<Line> LinesOf(std::string_view text) {
  std::vector<Line> lines;
  int depth = 0;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string line = WithoutComment(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string content = Trimmed(line);
    if (content.empty() || content == "---") continue;
    if (depth > 0) {
      lines.back().text += " " + content;
    } else {
      lines.push_back({number, line.find_first_not_of(' '), content});
    }
    Scanner scanner;
    for (const char c : lines.back().text) scanner.Next(c);
    depth = scanner.depth();
  }
  return lines;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : lines_(LinesOf(text)) {}

  YamlNode Read() {
    if (lines_.empty()) return {};
    YamlNode root = Block(lines_.front().indent);
    if (at_ < lines_.size()) Refuse("is indented in a way that is not understood");
    return root;
  }

 private:
  [[noreturn]] void Refuse(const std::string& why) const {
    const std::size_t last = std::min(at_, lines_.size() - 1);
    throw std::runtime_error("line " + std::to_string(lines_[last].number) + ": \"" +
                             lines_[last].text + "\" " + why);
  }

  // Where the name of a member ends (at ": " or at the end); npos: it is none.
  static std::size_t EndOfKey(std::string_view text) {
    Scanner scanner;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!scanner.Next(text[i]) || text[i] != ':' || scanner.depth() > 0) continue;
      if (i + 1 == text.size() || text[i + 1] == ' ') return i;
    }
    return std::string_view::npos;
  }
  static bool IsItem(const Line& line) { return line.text == "-" || line.text.starts_with("- "); }

  YamlNode Block(std::size_t indent) {  // NOLINT(misc-no-recursion)
    return IsItem(lines_[at_]) ? List(indent) : Map(indent);
  }

  YamlNode List(std::size_t indent) {  // NOLINT(misc-no-recursion)
    YamlNode list;
    list.kind = YamlNode::Kind::kList;
    while (at_ < lines_.size() && lines_[at_].indent == indent && IsItem(lines_[at_])) {
      Line& line = lines_[at_];
      const std::size_t begin = line.text.find_first_not_of(' ', 1);
      if (begin == std::string::npos) {
        ++at_;
        list.items.push_back(Nested(indent));
      } else if (EndOfKey(line.text.substr(begin)) != std::string::npos &&
                 line.text[begin] != '{' && line.text[begin] != '[') {
        // A map whose first member stands beside the hyphen.
        line.indent += begin;
        line.text.erase(0, begin);
        list.items.push_back(Map(line.indent));
      } else {
        const std::string text = line.text.substr(begin);
        list.items.push_back(Value(text));
        ++at_;
      }
    }
    return list;
  }

  YamlNode Map(std::size_t indent) {  // NOLINT(misc-no-recursion)
    YamlNode map;
    map.kind = YamlNode::Kind::kMap;
    while (at_ < lines_.size() && lines_[at_].indent == indent && !IsItem(lines_[at_])) {
      const std::string text = lines_[at_].text;
      // A whole map in brackets.
      if (text.front() == '{' && map.members.empty()) {
        YamlNode whole = Value(text);
        ++at_;
        return whole;
      }
      const std::size_t end = EndOfKey(text);
      if (end == std::string::npos) Refuse("has no name with a colon");
      const std::string name = Unquoted(Trimmed(text.substr(0, end)));
      const std::string rest = Trimmed(text.substr(end + 1));
      if (rest.empty()) {
        ++at_;
        map.members.push_back({name, Nested(indent)});
      } else {
        map.members.push_back({name, Value(rest)});
        ++at_;
      }
    }
    if (at_ < lines_.size() && lines_[at_].indent > indent) Refuse("is indented too far");
    return map;
  }

  // What stands below a name or a hyphen. A list may have the indent of its name.
  YamlNode Nested(std::size_t indent) {  // NOLINT(misc-no-recursion)
    if (at_ == lines_.size()) return {};
    const Line& line = lines_[at_];
    if (line.indent > indent) return Block(line.indent);
    if (line.indent == indent && IsItem(line)) return List(indent);
    return {};
  }

  // In one line.
  YamlNode Value(std::string_view text) {  // NOLINT(misc-no-recursion)
    std::size_t at = 0;
    YamlNode value = Flow(text, at, false);
    if (!Trimmed(text.substr(at)).empty()) Refuse("goes on behind its value");
    return value;
  }

  YamlNode Flow(std::string_view text, std::size_t& at, bool inside) {  // NOLINT(misc-no-recursion)
    while (at < text.size() && text[at] == ' ') ++at;
    YamlNode node;
    if (at < text.size() && text[at] == '{') {
      node.kind = YamlNode::Kind::kMap;
      Members(text, at, '}', [&] {
        const std::string name = Scalar(text, at, true, true);
        if (at == text.size() || text[at] != ':') Refuse("has a member without a colon");
        ++at;
        node.members.push_back({name, Flow(text, at, true)});
      });
      return node;
    }
    if (at < text.size() && text[at] == '[') {
      node.kind = YamlNode::Kind::kList;
      Members(text, at, ']', [&] { node.items.push_back(Flow(text, at, true)); });
      return node;
    }
    const bool quoted = at < text.size() && (text[at] == '"' || text[at] == '\'');
    if (!quoted && at < text.size() &&
        std::string_view("|>&*!%@`").find(text[at]) != std::string_view::npos) {
      Refuse("has a value of a form that is not understood");
    }
    node.text = Scalar(text, at, inside, false);
    const bool null = !quoted && (node.text.empty() || node.text == "null" || node.text == "~");
    node.kind = null ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
    return node;
  }

  template <typename Member>
  void Members(std::string_view text, std::size_t& at, char end, const Member& member) {
    ++at;
    for (;;) {
      while (at < text.size() && (text[at] == ' ' || text[at] == ',')) ++at;
      if (at == text.size()) Refuse("has a bracket that does not end");
      if (text[at] == end) break;
      member();
    }
    ++at;
  }

  std::string Scalar(std::string_view text, std::size_t& at, bool inside, bool key) {
    while (at < text.size() && text[at] == ' ') ++at;
    const std::size_t begin = at;
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
      Scanner scanner;
      scanner.Next(text[at++]);
      while (at < text.size() && !scanner.Next(text[at])) ++at;
      return Unquoted(Trimmed(text.substr(begin, at - begin)));
    }
    const auto ends = [&](char c) {
      if (!inside) return false;
      if (c == ',' || c == '}' || c == ']') return true;
      return key && c == ':';
    };
    while (at < text.size() && !ends(text[at])) ++at;
    return Trimmed(text.substr(begin, at - begin));
  }

  static std::string Unquoted(const std::string& text) {
    if (text.size() < 2 || (text.front() != '"' && text.front() != '\'')) return text;
    const std::string inner = text.substr(1, text.size() - 2);
    std::string plain;
    for (std::size_t i = 0; i < inner.size(); ++i) {
      if (text.front() == '\'' && inner.compare(i, 2, "''") == 0) ++i;
      if (text.front() == '"' && inner[i] == '\\' && i + 1 < inner.size()) {
        ++i;
        plain += inner[i] == 'n' ? '\n' : inner[i] == 't' ? '\t' : inner[i];
        continue;
      }
      plain += inner[i];
    }
    return plain;
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

}  // namespace

const YamlNode* YamlNode::Find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string YamlNode::Text(std::string_view name) const {
  const YamlNode* found = Find(name);
  return found == nullptr ? "" : found->text;
}

YamlNode ReadYaml(std::string_view text) { return Reader(text).Read(); }

}  // namespace summa::testkit::yaml
