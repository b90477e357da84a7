#include "host/cli/completion.hpp"

#include <algorithm>
#include <set>

namespace summa::host {
namespace {

constexpr char kGlobalOptions[] = "-c --config --plugin-dir --output --no-color -h --help";

bool TakesValue(const CommandOption& option) {
  return !option.positional && option.schema.type != Schema::Type::kBoolean;
}

std::string OptionWord(const CommandOption& option) {
  const bool on_by_default = option.schema.type == Schema::Type::kBoolean &&
                             option.schema.default_text.value_or("") == "true";
  return (on_by_default ? "--no-" : "--") + option.name;
}

// Every option that is followed by a value, whatever the verb.
std::string ValueOptions(const std::vector<Verb>& verbs) {
  std::set<std::string> words = {"-c", "--config", "--plugin-dir", "--output"};
  for (const Verb& verb : verbs) {
    for (const VerbOption& option : verb.options) {
      if (TakesValue(option.declaration)) words.insert(OptionWord(option.declaration));
    }
  }
  std::string text;
  for (const std::string& word : words) text += " " + word;
  return text + " ";
}

// The branches of `case VERB OPTION in` that give the values of enumerations.
std::string ValueBranches(const std::vector<Verb>& verbs, const std::string& give) {
  std::string text = "      *--output) " + give + "\"text json\" ;;\n";
  for (const Verb& verb : verbs) {
    for (const VerbOption& option : verb.options) {
      const Schema& schema = option.declaration.schema;
      if (!TakesValue(option.declaration) || schema.type != Schema::Type::kEnum) continue;
      std::string values;
      for (const std::string& value : schema.values) values += (values.empty() ? "" : " ") + value;
      text += "      \"" + verb.words + " \"*" + OptionWord(option.declaration) + ") " + give +
              "\"" + values + "\" ;;\n";
    }
  }
  return text;
}

// The branches of `case WORDS in` that give the options of a verb. The longest verbs come first.
std::string OptionBranches(const std::vector<Verb>& verbs) {
  std::vector<const Verb*> ordered;
  for (const Verb& verb : verbs) ordered.push_back(&verb);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Verb* a, const Verb* b) { return a->words.size() > b->words.size(); });
  std::string text;
  for (const Verb* verb : ordered) {
    std::string options;
    for (const VerbOption& option : verb->options) {
      if (option.declaration.positional) continue;
      options += (options.empty() ? "" : " ") + OptionWord(option.declaration);
    }
    if (options.empty()) continue;
    text += "    \"" + verb->words + " \"*) options=\"" + options + "\" ;;\n";
  }
  return text;
}

std::vector<const Verb*> Own(const std::vector<Verb>& verbs) {
  std::vector<const Verb*> own;
  for (const Verb& verb : verbs) {
    if (verb.plugin.empty()) own.push_back(&verb);
  }
  return own;
}

// In single quotes of a shell.
std::string Quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) {
    text.replace(at, 1, "'\\''");
  }
  return "'" + text + "'";
}

// For _describe of zsh, where a colon ends the word.
std::string Described(const Verb& verb) {
  std::string words = verb.words;
  for (std::size_t at = 0; (at = words.find(':', at)) != std::string::npos; at += 2) {
    words.insert(at, 1, '\\');
  }
  return Quoted(words + ":" + verb.summary);
}

}  // namespace

std::string BashCompletion(const std::vector<Verb>& verbs) {
  std::string names;
  for (const Verb* verb : Own(verbs)) names += "    " + Quoted(verb->words) + "\n";
  return R"(# Completion of bash for summa-host. Made by `summa-host help --completion bash`; do not edit.
_summa_host() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local takes_value=")" +
         ValueOptions(verbs) + R"("
  local verbs=(
)" + names +
         R"(  )
  local words="" options="" candidates="" verb rest i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -*) [[ $takes_value == *" ${COMP_WORDS[i]} "* ]] && ((++i)) ;;
      *) words+="${COMP_WORDS[i]} " ;;
    esac
  done
  COMPREPLY=()
  if [[ $previous == -* && $takes_value == *" $previous "* ]]; then
    case $words$previous in
)" + ValueBranches(verbs, "candidates=") +
         R"(    esac
    # Nothing to offer: bash offers files.
    [ -z "$candidates" ] || COMPREPLY=($(compgen -W "$candidates" -- "$current"))
    return
  fi
  case $words in
)" + OptionBranches(verbs) +
         R"(  esac
  if [[ $current == -* ]]; then
    candidates="$options )" +
         kGlobalOptions + R"("
  else
    for verb in "${verbs[@]}"; do
      [[ $verb == "$words"* ]] || continue
      rest=${verb#"$words"}
      candidates+=" ${rest%% *}"
    done
  fi
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -o default -F _summa_host summa-host
)";
}

std::string ZshCompletion(const std::vector<Verb>& verbs) {
  std::string names;
  for (const Verb* verb : Own(verbs)) names += "    " + Described(*verb) + "\n";
  return R"(#compdef summa-host
# Completion of zsh for summa-host. Made by `summa-host help --completion zsh`; do not edit.
_summa_host() {
  local previous=$words[CURRENT-1] current=$words[CURRENT]
  local takes_value=")" +
         ValueOptions(verbs) + R"("
  local -a verbs matches
  verbs=(
)" + names +
         R"(  )
  local given="" options="" candidates="" entry rest
  integer i
  for ((i = 2; i < CURRENT; ++i)); do
    case $words[i] in
      -*) [[ $takes_value == *" $words[i] "* ]] && ((++i)) ;;
      *) given+="$words[i] " ;;
    esac
  done
  if [[ $previous == -* && $takes_value == *" $previous "* ]]; then
    case $given$previous in
)" + ValueBranches(verbs, "candidates=") +
         R"(    esac
    if [[ -n $candidates ]]; then compadd -- ${=candidates}; else _files; fi
    return
  fi
  case $given in
)" + OptionBranches(verbs) +
         R"(  esac
  if [[ $current == -* ]]; then
    compadd -- ${=options} )" +
         kGlobalOptions + R"(
    return
  fi
  for entry in $verbs; do
    [[ $entry == "$given"* ]] || continue
    rest=${entry#"$given"}
    # A word in the middle of a verb has no summary of its own.
    if [[ ${rest%%:*} == *" "* ]]; then matches+=(${rest%% *}); else matches+=($rest); fi
  done
  matches=(${(u)matches})
  if (( $#matches )); then _describe verb matches; else _files; fi
}
_summa_host "$@"
)";
}

}  // namespace summa::host
