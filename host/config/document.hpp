// A YAML text as a tree in which every key and value knows its place. Pure data, no YAML library
// behind it.
//
// Reading is strict: one document whose root is a map, valid UTF-8, no
// duplicate keys, no anchors, aliases, merge keys or tags, no line break inside a quoted value, at
// most 32 levels and 1 MiB. Everything wrong is collected; nothing throws.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/error.hpp"

namespace summa::host {

struct Location {
  std::string file;
  int line = 0;    // from 1; 0: unknown
  int column = 0;  // from 1, in characters
};
std::string ToText(const Location& where);  // "file:line:col"; without a line, the file

// One problem of a configuration or manifest. Text form: "file:line:col: path: problem. fix".
struct Diagnostic {
  std::string code;  // "SH-0201"
  Location where;
  std::string path;      // "plugins.outbox.batch_size"; empty: the file itself
  std::string problem;   // one sentence, without the final point
  std::string fix;       // one sentence; may be empty
  bool warning = false;  // said, but does not refuse the configuration
};
using Diagnostics = std::vector<Diagnostic>;
std::string ToText(const Diagnostic& diagnostic);
Error ToError(const Diagnostic& diagnostic);

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Member;

  Kind kind = Kind::kNull;
  Location where;               // of the value; of its key when the value is empty
  std::string text;             // scalar: the text as written, unquoted
  bool quoted = false;          // scalar: was quoted or a block
  bool interpolated = false;    // scalar: has text of the environment or of a file in it
  bool secret = false;          // scalar: has text of a file in it (never printed)
  bool unusable = false;        // its problem is already reported: nothing more is said about it
  std::vector<Node> items;      // list
  std::vector<Member> members;  // map, in the order of the file

  const Node* Find(std::string_view name) const;  // member of a map, or nullptr
};

struct Node::Member {
  std::string name;
  Location where;  // of the key
  Node value;
};

// `file` is the name used in messages. On error the tree holds what could be read.
Node ParseDocument(std::string_view text, const std::string& file, Diagnostics& diagnostics);

}  // namespace summa::host
