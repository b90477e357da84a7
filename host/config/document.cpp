#include "host/config/document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "host/config/text.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

// Deeper than any configuration of ours (5 levels) by far; yaml-cpp itself misbehaves near 500.
constexpr std::size_t kMaxDepth = 32;
// A configuration of a thousand streams has some 100 KiB.
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

// Ends reading: what follows could not be understood anyway. The reason is already reported.
struct Stop {};

// The text by lines, to turn yaml-cpp's marks (bytes) into places for people (characters) and to
// look at how a value was written.
class Source {
 public:
  Source(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == '\n') starts_.push_back(i + 1);
    }
  }

  Location At(std::size_t offset) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const std::size_t start = *(next - 1);
    Location where{file_, static_cast<int>(next - starts_.begin()), 1};
    where.column += static_cast<int>(CountCharacters(text_.substr(start, offset - start)));
    return where;
  }
  std::size_t Offset(const YAML::Mark& mark) const {
    if (mark.line < 0 || static_cast<std::size_t>(mark.line) >= starts_.size()) return text_.size();
    return std::min(starts_[static_cast<std::size_t>(mark.line)] +
                        static_cast<std::size_t>(std::max(mark.column, 0)),
                    text_.size());
  }
  Location At(const YAML::Mark& mark) const { return At(Offset(mark)); }
  std::string_view Rest(const YAML::Mark& mark) const { return text_.substr(Offset(mark)); }
  std::string_view Line(int line) const {
    if (line < 1 || static_cast<std::size_t>(line) > starts_.size()) return {};
    const std::string_view rest = text_.substr(starts_[static_cast<std::size_t>(line) - 1]);
    return rest.substr(0, rest.find('\n'));
  }
  const std::string& file() const { return file_; }

 private:
  std::string_view text_;
  std::string file_;
  std::vector<std::size_t> starts_;
};

// Builds the tree from yaml-cpp's events. Open collections are on a stack; each is added to its
// parent when it ends, so that a broken file still gives what was read.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const Source& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    Report("SH-0211", source_.At(mark), "a second document begins here",
           "Keep one document in the file: remove the line ---");
    throw Stop{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseAnchor(mark, anchor);
    const bool written = IsWrittenNull(source_.Rest(mark));
    if (AwaitsKey()) {
      Report("SH-0210", written ? source_.At(mark) : HereOrParent(mark), "a key is empty",
             "Write a name before the colon");
      BeginValue("", source_.At(mark), false);
      return;
    }
    Node node;
    // The mark of an empty value is the next token's, often on the next line.
    node.where = written || stack_.empty() ? source_.At(mark) : PlaceOfEmpty();
    Put(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Report("SH-0211", source_.At(mark), "aliases (*name) are not allowed",
           "Write the value out in full");
    if (AwaitsKey()) return BeginValue("", source_.At(mark), false);
    Node node;
    node.where = source_.At(mark);
    node.unusable = true;
    Put(std::move(node));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    if (tag == "!") CheckQuotes(mark);
    if (AwaitsKey()) {
      if (value == "<<") {
        Report("SH-0211", source_.At(mark), "merge keys (<<) are not allowed",
               "Write the members out in full");
      }
      return BeginValue(value, source_.At(mark), value != "<<");
    }
    Node node;
    node.kind = Node::Kind::kScalar;
    node.where = source_.At(mark);
    node.text = value;
    node.quoted = tag == "!";
    Put(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

  // Closes what is still open and gives the tree.
  Node Take() {
    while (!stack_.empty()) Close();
    return std::move(root_);
  }
  bool empty() const { return !has_root_; }

 private:
  struct Frame {
    Node node;
    std::string key;  // map: the key whose value is read next
    Location key_where;
    bool has_key = false;
    bool keep = true;          // false: the value of a key that was refused
    bool complex_key = false;  // the collection is used where a key is expected
  };

  void Report(std::string code, Location where, std::string problem, std::string fix) {
    diagnostics_.push_back(
        {std::move(code), std::move(where), Path(), std::move(problem), std::move(fix)});
  }

  std::string Path() const {
    std::string path;
    for (const Frame& frame : stack_) {
      std::string step;
      if (frame.node.kind == Node::Kind::kList) {
        step = std::to_string(frame.node.items.size());
      } else if (frame.has_key) {
        step = frame.key;
      } else {
        break;
      }
      path += (path.empty() ? "" : ".") + step;
    }
    return path;
  }

  bool AwaitsKey() const {
    return !stack_.empty() && stack_.back().node.kind == Node::Kind::kMap && !stack_.back().has_key;
  }

  Location PlaceOfEmpty() const {
    return stack_.back().has_key ? stack_.back().key_where : stack_.back().node.where;
  }
  Location HereOrParent(const YAML::Mark& mark) const {
    return stack_.empty() ? source_.At(mark) : stack_.back().node.where;
  }

  void BeginValue(const std::string& key, const Location& where, bool keep) {
    Frame& frame = stack_.back();
    frame.key = key;
    frame.key_where = where;
    frame.has_key = true;
    frame.keep = keep;
    if (!keep) return;
    for (const Node::Member& member : frame.node.members) {
      if (member.name != key) continue;
      frame.keep = false;
      Report("SH-0203", where,
             "the key is given twice (first at line " + std::to_string(member.where.line) + ")",
             "Remove one of them");
      return;
    }
  }

  void Put(Node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      has_root_ = true;
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == Node::Kind::kList) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (frame.keep) {
      frame.node.members.push_back({frame.key, frame.key_where, std::move(node)});
    }
    frame.has_key = false;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    if (stack_.size() >= kMaxDepth) {
      Report("SH-0212", source_.At(mark),
             "nested deeper than " + std::to_string(kMaxDepth) + " levels",
             "Check the indentation and the brackets");
      throw Stop{};
    }
    Frame frame;
    frame.complex_key = AwaitsKey();
    // Once per line: yaml-cpp sees a key in every bracket of a row that is not closed.
    if (frame.complex_key && mark.line != complex_key_line_) {
      complex_key_line_ = mark.line;
      Report("SH-0210", source_.At(mark), "a map or list is used where a key is expected",
             "Write a plain name before the colon; put ${...} into quotes inside { }");
    }
    frame.node.kind = kind;
    frame.node.where = source_.At(mark);
    stack_.push_back(std::move(frame));
  }

  void Close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    if (frame.complex_key) return BeginValue("", frame.node.where, false);
    Put(std::move(frame.node));
  }

  void RefuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    Report("SH-0211", source_.At(mark), "anchors (&name) are not allowed",
           "Remove the anchor and write the value out where it is needed");
  }

  void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    const bool explicit_tag = !tag.empty() && tag != "?" && tag != "!";
    const std::string_view rest = source_.Rest(mark);
    if (!explicit_tag && (rest.empty() || rest.front() != '!')) return;
    Report("SH-0211", source_.At(mark), "tags (!name) are not allowed",
           "Remove the tag; the schema knows the type of every key");
  }

  // yaml-cpp takes an unterminated quote to the end of the file. No value of ours has a line break
  // inside quotes, so a break before the closing quote is that mistake.
  void CheckQuotes(const YAML::Mark& mark) {
    const std::string_view rest = source_.Rest(mark);
    if (rest.empty() || (rest.front() != '"' && rest.front() != '\'')) return;  // a block scalar
    const char quote = rest.front();
    for (std::size_t i = 1; i < rest.size() && rest[i] != '\n'; ++i) {
      if (rest[i] == '\\' && quote == '"') {
        ++i;
        if (i < rest.size() && rest[i] == '\n') break;
      } else if (rest[i] == quote) {
        if (quote == '"' || i + 1 >= rest.size() || rest[i + 1] != quote) return;
        ++i;
      }
    }
    Report("SH-0210", source_.At(mark), "the quote that opens here is not closed on its line",
           "Close it on the same line; a longer text can be written as a block with |");
    throw Stop{};  // everything up to the next quote was swallowed
  }

  static bool IsWrittenNull(std::string_view rest) {
    for (const std::string_view word : {"~", "null", "Null", "NULL"}) {
      if (!rest.starts_with(word)) continue;
      const std::string_view after = rest.substr(word.size());
      if (after.empty() ||
          std::string_view(" \t\r\n,]}:#").find(after.front()) != std::string_view::npos) {
        return true;
      }
    }
    return false;
  }

  const Source& source_;
  Diagnostics& diagnostics_;
  std::vector<Frame> stack_;
  Node root_;
  bool has_root_ = false;
  int documents_ = 0;
  int complex_key_line_ = -1;
};

// Bytes that YAML or our messages cannot carry. False: not worth parsing.
bool CheckBytes(std::string_view text, const Source& source, Diagnostics& diagnostics) {
  if (text.size() > kMaxBytes) {
    diagnostics.push_back({"SH-0212", Location{source.file(), 0, 0}, "",
                           "the file has " + std::to_string(text.size()) + " bytes; at most " +
                               std::to_string(kMaxBytes) + " are read",
                           "Check that it is the right file"});
    return false;
  }
  if (const auto bad = FindInvalidUtf8(text)) {
    diagnostics.push_back(
        {"SH-0210", source.At(*bad), "", "the text is not valid UTF-8", "Save the file as UTF-8"});
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool line_end = byte == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if ((byte >= 0x20 && byte != 0x7f) || byte == '\n' || byte == '\t' || line_end) continue;
    diagnostics.push_back({"SH-0210", source.At(i), "",
                           "a control character (byte " + std::to_string(byte) + ") is in the text",
                           "Remove it; inside double quotes it can be written as an escape"});
    return false;
  }
  return true;
}

void ReportSyntax(const YAML::Exception& exception, const Source& source,
                  Diagnostics& diagnostics) {
  const bool placed = exception.mark.line >= 0;
  const Location where = placed ? source.At(exception.mark) : Location{source.file(), 0, 0};
  const std::string_view line = source.Line(where.line);
  const std::size_t first = line.find_first_not_of(" \t");
  if (line.substr(0, first).find('\t') != std::string_view::npos) {
    diagnostics.push_back(
        {"SH-0210", where, "", "the line is indented with a tab", "Indent with spaces only"});
    return;
  }
  // yaml-cpp's own words differ between its versions and seldom help; the place does.
  diagnostics.push_back({"SH-0210", where, "", "this is not valid YAML",
                         "Look here and on the line before: the indentation, a colon and a space "
                         "after each key, brackets and quotes that are closed"});
}

}  // namespace

const Node* Node::Find(std::string_view name) const {
  const Member* found = FindNamed(members, &Member::name, name);
  return found == nullptr ? nullptr : &found->value;
}

std::string ToText(const Location& where) {
  if (where.line == 0) return where.file;
  return where.file + ":" + std::to_string(where.line) + ":" + std::to_string(where.column);
}

Error ToError(const Diagnostic& diagnostic) {
  const std::string path = diagnostic.path.empty() ? "" : diagnostic.path + ": ";
  return {diagnostic.code, path + diagnostic.problem, diagnostic.fix, ToText(diagnostic.where)};
}

std::string ToText(const Diagnostic& diagnostic) {
  std::string text = ToText(diagnostic.where);
  if (!text.empty()) text += ": ";
  if (!diagnostic.path.empty()) text += diagnostic.path + ": ";
  if (diagnostic.warning) text += "warning: ";
  text += diagnostic.problem + ".";
  if (!diagnostic.fix.empty()) {
    text += " " + diagnostic.fix;
    if (std::string_view(".?!").find(text.back()) == std::string_view::npos) text += ".";
  }
  return text;
}

Node ParseDocument(std::string_view text, const std::string& file, Diagnostics& diagnostics) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const Source source(text, file);
  Node nothing;
  nothing.kind = Node::Kind::kMap;
  nothing.where = Location{file, 1, 1};
  if (!CheckBytes(text, source, diagnostics)) return nothing;

  TreeBuilder builder(source, diagnostics);
  bool complete = false;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    complete = true;
  } catch (const Stop&) {
  } catch (const YAML::Exception& exception) {
    ReportSyntax(exception, source, diagnostics);
  }
  const bool empty = builder.empty();
  Node root = builder.Take();
  if (root.kind == Node::Kind::kMap) return root;
  if (complete) {
    diagnostics.push_back({"SH-0210", empty ? Location{file, 1, 1} : root.where, "",
                           empty ? "the file is empty" : "the file does not begin with a key",
                           "Write keys with values, one per line, such as `log: { level: info }`"});
  }
  return nothing;
}

}  // namespace summa::host
