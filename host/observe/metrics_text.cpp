#include "host/observe/metrics_text.hpp"

#include <algorithm>
#include <map>

namespace summa::host {
namespace {

struct Family {
  std::string name;
  std::string help, type;  // whole lines; may be empty
  std::vector<std::string> series;
};

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':';
}

// The name at the beginning of a line, or of the rest of a comment.
std::string_view NameAt(std::string_view text) {
  const auto* end = std::find_if_not(text.begin(), text.end(), IsNameChar);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

// A histogram's series have names of their own.
bool BelongsTo(std::string_view series, std::string_view family) {
  if (!series.starts_with(family)) return false;
  const std::string_view rest = series.substr(family.size());
  return rest.empty() || rest == "_bucket" || rest == "_sum" || rest == "_count";
}

class Families {
 public:
  // process empty: the lines stay as they are.
  void Add(std::string_view text, const std::string& process) {
    current_ = nullptr;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      AddLine(text.substr(0, end), process);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::string Text() const {
    std::string text;
    for (const std::string& name : order_) {
      const Family& family = families_.at(name);
      if (family.series.empty()) continue;
      for (const std::string* line : {&family.help, &family.type}) {
        if (!line->empty()) text.append(*line).push_back('\n');
      }
      for (const std::string& line : family.series) text.append(line).push_back('\n');
    }
    return text;
  }

 private:
  Family& Find(std::string_view name) {
    const auto [found, made] = families_.try_emplace(std::string(name));
    if (made) {
      found->second.name = name;
      order_.emplace_back(name);
    }
    return found->second;
  }

  void AddLine(std::string_view line, const std::string& process) {
    constexpr std::string_view kHelp = "# HELP ", kType = "# TYPE ";
    if (line.starts_with(kHelp)) {
      current_ = &Find(NameAt(line.substr(kHelp.size())));
      if (current_->help.empty()) current_->help = line;
    } else if (line.starts_with(kType)) {
      Family& family = Find(NameAt(line.substr(kType.size())));
      if (family.type.empty()) family.type = line;
      current_ = family.type == line ? &family : &other_type_;
    } else if (!line.empty() && line.front() != '#') {
      AddSeries(line, process);
    }
  }

  void AddSeries(std::string_view line, const std::string& process) {
    const std::string_view name = NameAt(line);
    const char next = name.size() < line.size() ? line[name.size()] : '\0';
    if (name.empty() || (next != '{' && next != ' ')) return;
    if (current_ == &other_type_) return;
    Family& family =
        current_ != nullptr && BelongsTo(name, current_->name) ? *current_ : Find(name);
    if (process.empty()) {
      family.series.emplace_back(line);
      return;
    }
    std::string labelled = std::string(name) + "{process=\"" + process + "\"";
    std::string_view rest = line.substr(name.size());
    if (next == ' ') {
      labelled += "}";
    } else {
      rest.remove_prefix(1);
      if (!rest.starts_with('}')) labelled += ",";
    }
    family.series.push_back(labelled.append(rest));
  }

  std::map<std::string, Family> families_;
  std::vector<std::string> order_;  // as they came
  Family other_type_;               // takes what is left out
  Family* current_ = nullptr;
};

}  // namespace

std::string MergeMetrics(std::string_view own,
                         const std::vector<std::pair<std::string, std::string>>& others) {
  Families families;
  families.Add(own, "");
  for (const auto& [process, text] : others) families.Add(text, process);
  return families.Text();
}

}  // namespace summa::host
