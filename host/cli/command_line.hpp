// Words of the command line -> a verb and its checked options. The only place that knows the
// command line library.
#pragma once

#include <string>
#include <vector>

#include "host/cli/verb.hpp"

namespace summa::host {

struct GlobalParse {
  GlobalOptions options;
  std::vector<std::string> rest;  // everything else, in order
};

// Takes the global options out of the arguments, wherever they stand. Throws SH-0900.
GlobalParse ParseGlobalOptions(const std::vector<std::string>& arguments);

struct VerbMatch {
  const Verb* verb = nullptr;
  std::vector<std::string> rest;  // what follows the words
};

// The verb with the most words that `words` begins with; a colon counts as a space. nullptr: none.
VerbMatch FindVerb(const std::vector<Verb>& verbs, const std::vector<std::string>& words);

struct VerbParse {
  bool help = false;
  Value options;
};

// Reads and checks the options of a verb. Throws SH-0900 that names every problem.
VerbParse ParseVerbOptions(const Verb& verb, const std::vector<std::string>& rest);

}  // namespace summa::host
