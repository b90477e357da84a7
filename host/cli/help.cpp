#include "host/cli/help.hpp"

#include <map>

namespace summa::host {
namespace {

constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kOptionColumn = 28;

const std::vector<std::pair<std::string, std::string>>& GlobalOptionHelp() {
  static const std::vector<std::pair<std::string, std::string>> rows = {
      {"-c, --config FILE",
       "configuration file (else SUMMA_CONFIG, ./summa.yaml, /etc/summa/summa.yaml)"},
      {"--plugin-dir DIR",
       "directory with plugins, searched first (may be repeated; else SUMMA_PLUGIN_PATH, "
       "lib/summa/plugins beside the program, /usr/lib/summa/plugins)"},
      {"--output text|json", "form of the result on stdout (default: text)"},
      {"--no-color", "no colours on a terminal"},
      {"-h, --help", "this text"}};
  return rows;
}

const std::vector<std::pair<int, std::string>>& PluginExitCodes() {
  static const std::vector<std::pair<int, std::string>> rows = {
      {0, "done"},
      {1, "a check found something"},
      {64, "wrong option or argument"},
      {66, "the named thing does not exist"},
      {69, "the database or the bus is down"},
      {75, "a lease is held by another host, or the command was told to stop"},
      {77, "the database does not permit it"},
      {78, "configuration, or a database that is not migrated"}};
  return rows;
}

std::string Metavar(const VerbOption& option) {
  if (!option.metavar.empty()) return option.metavar;
  const Schema* schema = &option.declaration.schema;
  if (schema->type == Schema::Type::kList && schema->items) schema = schema->items.get();
  switch (schema->type) {
    case Schema::Type::kInteger:
    case Schema::Type::kNumber:
      return "N";
    case Schema::Type::kDuration:
      return "DURATION";
    case Schema::Type::kSize:
      return "SIZE";
    case Schema::Type::kUrl:
      return "URL";
    case Schema::Type::kEnum: {
      std::string text;
      for (const std::string& value : schema->values) text += (text.empty() ? "" : "|") + value;
      return text;
    }
    default:
      return option.declaration.positional ? option.declaration.name : "TEXT";
  }
}

std::string OptionForm(const VerbOption& option) {
  const CommandOption& each = option.declaration;
  if (each.positional) return Metavar(option);
  if (each.schema.type != Schema::Type::kBoolean) return "--" + each.name + " " + Metavar(option);
  const bool on_by_default = each.schema.default_text == "true";
  return (on_by_default ? "--no-" : "--") + each.name;
}

std::string OptionText(const VerbOption& option) {
  const Schema& schema = option.declaration.schema;
  std::string text = schema.help;
  while (!text.empty() && text.back() == '.') text.pop_back();
  std::string notes;
  const auto note = [&](const std::string& each) { notes += (notes.empty() ? "" : "; ") + each; };
  if (schema.required && !option.declaration.positional) note("required");
  if (schema.type == Schema::Type::kList) note("may be repeated");
  if (schema.default_text && schema.type != Schema::Type::kBoolean) {
    note("default: " + *schema.default_text);
  }
  return notes.empty() ? text : text + " (" + notes + ")";
}

// Text broken at spaces, every line after the first indented.
std::string Wrapped(std::string_view text, std::size_t first_column, std::size_t indent) {
  std::string result;
  std::size_t column = first_column;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    const bool first = result.empty();
    if (!first && column + 1 + word.size() > kLineWidth) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

std::string Row(const std::string& left, const std::string& right, std::size_t column) {
  std::string line = "  " + left;
  if (line.size() + 2 > column) {
    line += "\n" + std::string(column, ' ');
  } else {
    line += std::string(column - line.size(), ' ');
  }
  return line + Wrapped(right, column, column) + "\n";
}

std::string Synopsis(const Verb& verb) {
  std::string text = "summa-host " + verb.words;
  bool options = false;
  for (const VerbOption& option : verb.options) {
    const CommandOption& each = option.declaration;
    if (each.positional) {
      text += each.schema.required ? " " + Metavar(option) : " [" + Metavar(option) + "]";
    } else if (each.schema.required) {
      text += " " + OptionForm(option);
    } else {
      options = true;
    }
  }
  return text + (options ? " [options]" : "");
}

const std::vector<std::pair<int, std::string>>& ExitCodes(const Verb& verb) {
  return verb.exit_codes.empty() ? PluginExitCodes() : verb.exit_codes;
}

std::string VerbRows(const std::vector<const Verb*>& verbs) {
  std::string text;
  for (const Verb* verb : verbs) text += Row(verb->words, verb->summary, kOptionColumn);
  return text;
}

std::string Escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '-' || c == '\\') result += '\\';
    result += c;
  }
  if (!result.empty() && (result.front() == '.' || result.front() == '\'')) result = "\\&" + result;
  return result;
}

std::string ManRow(const std::string& left, const std::string& right) {
  return ".TP\n.B " + Escaped(left) + "\n" + Escaped(right) + "\n";
}

}  // namespace

std::string OverviewHelp(const std::vector<Verb>& verbs) {
  std::string text =
      "summa-host - the background work of a Summa ledger: runs the workers of plugins under "
      "leases\n\nUsage: summa-host VERB [options]\n\nVerbs:\n";
  std::vector<const Verb*> own;
  std::map<std::string, std::vector<const Verb*>> of_plugins;
  for (const Verb& verb : verbs) {
    (verb.plugin.empty() ? own : of_plugins[verb.plugin]).push_back(&verb);
  }
  text += VerbRows(own);
  for (const auto& [plugin, its_verbs] : of_plugins) {
    text += "\nVerbs of plugin " + plugin + ":\n" + VerbRows(its_verbs);
  }
  text += "\nGlobal options:\n";
  for (const auto& [form, meaning] : GlobalOptionHelp()) text += Row(form, meaning, kOptionColumn);
  return text + "\n`summa-host VERB --help` explains a verb. A colon in a verb equals a space.\n";
}

std::string VerbHelp(const Verb& verb) {
  std::string text = "summa-host " + verb.words + " - " + verb.summary + "\n\n";
  text += "Usage: " + Synopsis(verb) + "\n";
  if (!verb.description.empty()) text += "\n" + Wrapped(verb.description, 0, 0) + "\n";
  if (!verb.plugin.empty()) text += "\nA verb of plugin " + verb.plugin + ".\n";
  std::string arguments, options;
  for (const VerbOption& option : verb.options) {
    (option.declaration.positional ? arguments : options) +=
        Row(OptionForm(option), OptionText(option), kOptionColumn);
  }
  if (!arguments.empty()) text += "\nArguments:\n" + arguments;
  if (!options.empty()) text += "\nOptions:\n" + options;
  text += "\nGlobal options:\n";
  for (const auto& [form, meaning] : GlobalOptionHelp()) text += Row(form, meaning, kOptionColumn);
  text += "\nExit codes:\n";
  for (const auto& [code, meaning] : ExitCodes(verb)) text += Row(std::to_string(code), meaning, 8);
  if (!verb.example.empty()) text += "\nExample:\n  " + verb.example + "\n";
  return text;
}

std::string GroupHelp(const std::vector<Verb>& verbs, const std::string& words) {
  std::vector<const Verb*> members;
  for (const Verb& verb : verbs) {
    if (verb.words.starts_with(words + " ")) members.push_back(&verb);
  }
  if (members.empty()) return {};
  return "Verbs of summa-host " + words + ":\n" + VerbRows(members);
}

std::string ManPage(const std::vector<Verb>& verbs) {
  std::string text =
      ".TH SUMMA\\-HOST 1\n.SH NAME\nsumma\\-host \\- the background work of a Summa ledger\n"
      ".SH SYNOPSIS\n.B summa\\-host\n.I VERB\n[options]\n.SH DESCRIPTION\n"
      "Runs the workers of plugins under leases, against one PostgreSQL database that any number "
      "of hosts may share. Plugins add verbs; `summa\\-host \\-\\-help` lists those that are "
      "installed.\n.SH GLOBAL OPTIONS\n";
  for (const auto& [form, meaning] : GlobalOptionHelp()) text += ManRow(form, meaning);
  text += ".SH VERBS\n";
  for (const Verb& verb : verbs) {
    if (!verb.plugin.empty()) continue;
    text += ".SS " + Escaped(verb.words) + "\n.B " + Escaped(Synopsis(verb)) + "\n.PP\n" +
            Escaped(verb.description.empty() ? verb.summary : verb.description) + "\n";
    for (const VerbOption& option : verb.options) {
      text += ManRow(OptionForm(option), OptionText(option));
    }
    text += ".PP\nExit codes:\n";
    for (const auto& [code, meaning] : ExitCodes(verb)) {
      text += ManRow(std::to_string(code), meaning);
    }
  }
  text += ".SH FILES\n.TP\n.B /etc/summa/summa.yaml\nconfiguration\n";
  return text + ".TP\n.B /usr/lib/summa/plugins\nplugins\n";
}

std::string SuggestVerb(const std::vector<Verb>& verbs, const std::string& words) {
  std::vector<std::string> known;
  known.reserve(verbs.size());
  for (const Verb& verb : verbs) known.push_back(verb.words);
  // Arguments may follow the verb: try shorter and shorter beginnings.
  for (std::string typed = words; !typed.empty();) {
    if (const auto near = Suggest(typed, known)) return *near;
    const std::size_t space = typed.rfind(' ');
    typed.erase(space == std::string::npos ? 0 : space);
  }
  return {};
}

}  // namespace summa::host
