#include "host/config/interpolate.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "host/config/text.hpp"

namespace summa::host {
namespace {

// A secret or a URL is far shorter; a bigger file is a mistaken path.
constexpr std::size_t kMaxFileBytes = 64 * 1024;

struct Problem {
  std::string code, problem, fix;
};

bool IsVariableName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool ok =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!ok) return false;
  }
  return true;
}

Problem FileProblem(const std::string& path, const std::string& what) {
  return {"SH-0224", "file " + path + " " + what,
          "Name a readable file of at most 64 KiB that contains only the value"};
}

// The content of a file that holds one value. Throws Problem.
std::string ReadSecretFile(const std::string& path) {
  if (!path.starts_with('/')) {
    throw FileProblem("\"" + path + "\"", "is not named by its full path");
  }
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw FileProblem(path, "does not exist");
  // A pipe could block the start forever.
  if (!std::filesystem::is_regular_file(status)) throw FileProblem(path, "is not a regular file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileProblem(path, "cannot be opened (check its owner and mode)");
  std::string text(kMaxFileBytes + 3, '\0');  // room for a line end and one byte too many
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) throw FileProblem(path, "cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  // Half written, most often: an empty password would mean a login without one.
  if (text.empty()) throw FileProblem(path, "is empty");
  if (text.size() > kMaxFileBytes) throw FileProblem(path, "is larger than 64 KiB");
  if (text.find('\0') != std::string::npos || FindInvalidUtf8(text)) {
    throw FileProblem(path, "does not contain UTF-8 text");
  }
  return text;
}

class Expander {
 public:
  Expander(const Environment& environment, Node& node) : environment_(environment), node_(node) {}

  // Throws Problem.
  std::string Expand() {
    std::string_view rest = node_.text;
    std::string out;
    while (true) {
      const std::size_t dollar = rest.find('$');
      out += rest.substr(0, dollar);
      if (dollar == std::string_view::npos) return out;
      rest.remove_prefix(dollar + 1);
      if (rest.starts_with('$')) {
        out += '$';
        rest.remove_prefix(1);
      } else if (rest.starts_with('{')) {
        const std::size_t end = rest.find('}');
        if (end == std::string_view::npos) {
          throw Problem{"SH-0223", "a ${ is not closed",
                        "Close it with }, or write $$ for a dollar"};
        }
        out += Resolve(rest.substr(1, end - 1));
        rest.remove_prefix(end + 1);
      } else {
        throw Problem{"SH-0223", "a $ is not followed by { or $",
                      "Write $$ for a dollar, or ${NAME} for a variable"};
      }
    }
  }

 private:
  std::string Resolve(std::string_view inside) {
    node_.interpolated = true;
    if (inside.find("${") != std::string_view::npos) {
      throw Problem{"SH-0223", "a ${...} is nested in another", "Use one variable per ${...}"};
    }
    if (inside.starts_with("file:")) {
      node_.secret = true;
      return ReadSecretFile(std::string(inside.substr(5)));
    }
    const std::size_t colon = inside.find(':');
    const std::string name(inside.substr(0, colon));
    if (!IsVariableName(name)) {
      throw Problem{"SH-0223", "\"" + name + "\" is not the name of a variable",
                    "Write ${NAME}, ${NAME:-default}, ${NAME:?why} or ${file:/path}"};
    }
    std::optional<std::string> value = environment_(name);
    if (value && (value->find('\0') != std::string::npos || FindInvalidUtf8(*value))) {
      throw Problem{"SH-0223", "environment variable " + name + " does not contain UTF-8 text",
                    "Set it to text in UTF-8"};
    }
    if (colon == std::string_view::npos) {
      if (value) return *std::move(value);
      throw Problem{"SH-0204", "environment variable " + name + " is not set",
                    "Set it, or give a default with ${" + name + ":-default}"};
    }
    const std::string_view rule = inside.substr(colon);
    const bool present = value && !value->empty();
    if (rule.starts_with(":-")) return present ? *std::move(value) : std::string(rule.substr(2));
    if (rule.starts_with(":?")) {
      if (present) return *std::move(value);
      throw Problem{"SH-0204",
                    "environment variable " + name + (value ? " is empty" : " is not set"),
                    rule.size() > 2 ? std::string(rule.substr(2)) : "Set it"};
    }
    throw Problem{"SH-0223", "after ${" + name + " only :- and :? are allowed",
                  "Write ${" + name + "}, ${" + name + ":-default} or ${" + name + ":?why}"};
  }

  const Environment& environment_;
  Node& node_;
};

void Walk(Node& node, const std::string& path, const Environment& environment,
          Diagnostics& diagnostics) {
  const std::string prefix = path.empty() ? "" : path + ".";
  for (Node::Member& member : node.members) {
    Walk(member.value, prefix + member.name, environment, diagnostics);
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    Walk(node.items[i], prefix + std::to_string(i), environment, diagnostics);
  }
  if (node.kind != Node::Kind::kScalar || node.text.find('$') == std::string::npos) return;
  try {
    node.text = Expander(environment, node).Expand();
  } catch (const Problem& problem) {
    node.unusable = true;
    diagnostics.push_back({problem.code, node.where, path, problem.problem, problem.fix});
  }
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

void Interpolate(Node& root, const Environment& environment, Diagnostics& diagnostics) {
  Walk(root, "", environment, diagnostics);
}

}  // namespace summa::host
