#include "host/cli/plugin_project.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <string_view>
#include <utility>

#include "plugin_templates.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kLongestName = 40;
constexpr std::string_view kCommon = "common";

// Which example it is, and what is another word in a new project. Ids have two words, so that each
// of their forms (my-plugin, my_plugin, MyPlugin) is told from the others.
struct Template {
  std::string_view kind, id, code_prefix;
};
constexpr std::array<Template, 5> kTemplates = {{{"worker", "account-census", "AC"},
                                                 {"consumer", "account-greeter", "AG"},
                                                 {"projection", "regular-credits", "RC"},
                                                 {"bus", "bus-memory", "BM"},
                                                 {"endpoint", "holder-accounts", "HA"}}};

// Words that C++ or SQL keep for themselves, with the names of spaces that are taken.
constexpr std::string_view kReserved =
    " all alignas alignof analyse analyze and any array as asc asm asymmetric auto bool both break "
    "case cast catch char check class co_await co_return co_yield collate column compl concept "
    "const const_cast consteval constexpr constinit constraint continue create current_catalog "
    "current_date current_role current_time current_timestamp current_user decltype default "
    "deferrable delete desc distinct do double dynamic_cast else end enum except explicit export "
    "extern false fetch float for foreign friend from goto grant group having if in initially "
    "inline int information_schema intersect into lateral leading limit localtime localtimestamp "
    "long main mutable namespace new noexcept not nullptr offset on only operator or order placing "
    "plan primary private protected public references register reinterpret_cast requires return "
    "returning select session_user short signed sizeof some static static_assert static_cast std "
    "struct switch symmetric table template testing then this thread_local throw to trailing true "
    "try typedef typeid typename union unique unsigned user using variadic virtual void "
    "volatile wchar_t when where while window with xor ";

std::string Underscored(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

std::string CamelCase(const std::string& name) {
  std::string text;
  bool begins = true;
  for (const char c : name) {
    if (c != '-') text += begins ? static_cast<char>(std::toupper(c)) : c;
    begins = c == '-';
  }
  return text;
}

// The first letters of the words of a name, or the beginning of its only word.
std::string CodePrefix(const std::string& name) {
  constexpr std::size_t kLongest = 5;
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i == 0 || name[i - 1] == '-') text += static_cast<char>(std::toupper(name[i]));
  }
  if (text.size() == 1) {
    text = name.substr(0, kLongest);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  }
  text = text.substr(0, kLongest);
  if (text.size() == 1) text += 'X';
  return text == "SH" ? "SHX" : text;  // SH is of this repository
}

void Replace(std::string& text, std::string_view from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::string Renamed(std::string text, const Template& example, const std::string& name) {
  const std::string id(example.id);
  Replace(text, id, name);
  Replace(text, Underscored(id), Underscored(name));
  Replace(text, CamelCase(id), CamelCase(name));
  Replace(text, std::string(example.code_prefix) + "-0", CodePrefix(name) + "-0");
  return text;
}

}  // namespace

const std::vector<std::string>& ProjectKinds() {
  static const std::vector<std::string> kinds = [] {
    std::vector<std::string> all;
    for (const Template& each : kTemplates) all.emplace_back(each.kind);
    return all;
  }();
  return kinds;
}

std::string ProblemOfProjectName(const std::string& name) {
  if (name.size() > kLongestName ||
      !std::regex_match(name, std::regex("[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*"))) {
    return "write words of small letters and digits with a hyphen between them, such as "
           "invoice-export, at most " +
           std::to_string(kLongestName) + " characters";
  }
  if (kReserved.find(" " + Underscored(name) + " ") != std::string_view::npos) {
    return "the word is reserved in C++ or SQL; add another one, such as " + name + "-plugin";
  }
  if (name == "summa" || name.starts_with("summa-") || name.starts_with("pg-")) {
    return "names that begin with summa or pg are taken";
  }
  return {};
}

std::vector<ProjectFile> MakeProject(const std::string& name, const std::string& kind) {
  const auto* example = std::find_if(kTemplates.begin(), kTemplates.end(),
                                     [&](const Template& each) { return each.kind == kind; });
  std::vector<ProjectFile> files;
  for (const embedded::File& file : embedded::plugin_templates) {
    const std::size_t slash = file.path.find('/');
    const std::string_view folder = file.path.substr(0, slash);
    if (folder != kind && folder != kCommon) continue;
    std::string text(file.text);
    if (folder != kCommon) text = Renamed(std::move(text), *example, name);
    files.push_back({std::string(file.path.substr(slash + 1)), std::move(text)});
  }
  return files;
}

}  // namespace summa::host
