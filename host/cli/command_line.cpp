#include "host/cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

namespace summa::host {
namespace {

Failure UsageFailure(std::string message, const std::string& verb) {
  return {"SH-0900", std::move(message),
          "`summa-host " + verb + (verb.empty() ? "" : " ") +
              "--help` lists the options and arguments."};
}

// CLI11 takes its arguments from the back.
std::vector<std::string> Reversed(std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());
  return words;
}

Schema OptionsSchema(const Verb& verb) {
  Schema schema;
  for (const VerbOption& option : verb.options) {
    schema.keys.emplace_back(option.declaration.name, option.declaration.schema);
  }
  return schema;
}

Node ScalarNode(const std::string& name, std::string text) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.where.file = "--" + name;
  node.text = std::move(text);
  node.quoted = true;  // an argument is a text whatever it looks like; the schema converts it
  return node;
}

Node OptionNode(const CommandOption& option, const std::vector<std::string>& values) {
  if (option.schema.type != Schema::Type::kList) {
    Node node = ScalarNode(option.name, values.back());
    node.quoted = option.schema.type == Schema::Type::kString;
    return node;
  }
  Node list;
  list.kind = Node::Kind::kList;
  list.where.file = "--" + option.name;
  for (const std::string& value : values) list.items.push_back(ScalarNode(option.name, value));
  return list;
}

std::string DescribeProblem(const Verb& verb, const Diagnostic& diagnostic) {
  std::string name = diagnostic.path;
  if (!name.empty() && name.front() == '.') name.erase(0, 1);
  const auto option =
      std::find_if(verb.options.begin(), verb.options.end(),
                   [&](const VerbOption& each) { return each.declaration.name == name; });
  const bool positional = option != verb.options.end() && option->declaration.positional;
  std::string text = (positional ? "argument " : "--") + name + ": " + diagnostic.problem;
  if (!diagnostic.fix.empty()) text += ". " + diagnostic.fix;
  return text;
}

}  // namespace

GlobalParse ParseGlobalOptions(const std::vector<std::string>& arguments) {
  GlobalParse parse;
  std::string output = "text";
  bool no_color = false;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_option("-c,--config", parse.options.config);
  app.add_option("--plugin-dir", parse.options.plugin_dirs)->allow_extra_args(false);
  app.add_option("--output", output);
  app.add_flag("--no-color", no_color);
  try {
    app.parse(Reversed(arguments));
  } catch (const CLI::ParseError& error) {
    throw UsageFailure(error.what(), "");
  }
  if (output != "text" && output != "json") {
    throw UsageFailure("--output: \"" + output + "\" is neither text nor json", "");
  }
  parse.options.json = output == "json";
  parse.options.color = !no_color;
  parse.rest = app.remaining();
  return parse;
}

VerbMatch FindVerb(const std::vector<Verb>& verbs, const std::vector<std::string>& words) {
  VerbMatch best;
  std::size_t best_length = 0;
  for (const Verb& verb : verbs) {
    // The words typed so far, joined, must be the verb's words at the end of some argument.
    std::string typed;
    for (std::size_t used = 0; used < words.size() && typed.size() < verb.words.size(); ++used) {
      std::string word = words[used];
      std::replace(word.begin(), word.end(), ':', ' ');
      typed += (used == 0 ? "" : " ") + word;
      if (typed == verb.words && verb.words.size() > best_length) {
        best_length = verb.words.size();
        best.verb = &verb;
        best.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(used) + 1, words.end());
      }
    }
  }
  return best;
}

namespace {

const VerbOption* LastArgument(const Verb& verb) {
  const VerbOption* last = nullptr;
  for (const VerbOption& option : verb.options) {
    if (option.declaration.positional) last = &option;
  }
  return last;
}

}  // namespace

VerbParse ParseVerbOptions(const Verb& verb, const std::vector<std::string>& rest) {
  VerbParse parse;
  CLI::App app;
  app.set_help_flag();
  app.add_flag("-h,--help", parse.help);
  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, bool> flags;
  std::vector<std::pair<const CommandOption*, CLI::Option*>> known;
  for (const VerbOption& option : verb.options) {
    const CommandOption& each = option.declaration;
    if (each.positional) {
      const bool list = each.schema.type == Schema::Type::kList;
      CLI::Option* added =
          app.add_option(each.name, values[each.name])->expected(list ? 0 : 1, list ? 100 : 1);
      // The last one takes the words that are too many, and says so; another one would take those
      // of the next.
      added->allow_extra_args(&option == LastArgument(verb));
      known.emplace_back(&each, added);
    } else if (each.schema.type == Schema::Type::kBoolean) {
      known.emplace_back(&each,
                         app.add_flag("--" + each.name + ",!--no-" + each.name, flags[each.name]));
    } else {
      CLI::Option* added = app.add_option("--" + each.name, values[each.name]);
      added->allow_extra_args(false);
      known.emplace_back(&each, added);
    }
  }
  try {
    app.parse(Reversed(rest));
  } catch (const CLI::ParseError& error) {
    throw UsageFailure(error.what(), verb.words);
  }
  if (parse.help) return parse;

  Node node;
  node.kind = Node::Kind::kMap;
  for (const auto& [option, added] : known) {
    if (added->count() == 0) continue;
    const bool flag = option->schema.type == Schema::Type::kBoolean && !option->positional;
    std::vector<std::string> given =
        flag ? std::vector<std::string>{flags[option->name] ? "true" : "false"}
             : values[option->name];
    if (given.empty()) continue;
    if (given.size() > 1 && option->schema.type != Schema::Type::kList) {
      throw UsageFailure("--" + option->name + " is given twice", verb.words);
    }
    node.members.push_back({option->name, {}, OptionNode(*option, given)});
  }
  Diagnostics diagnostics;
  parse.options = Validate(OptionsSchema(verb), &node, "", diagnostics);
  if (!diagnostics.empty()) {
    std::string message;
    for (const Diagnostic& diagnostic : diagnostics) {
      message += (message.empty() ? "" : "; ") + DescribeProblem(verb, diagnostic);
    }
    throw UsageFailure(message, verb.words);
  }
  return parse;
}

}  // namespace summa::host
