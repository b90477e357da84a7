// Help and the man page, both from the table of verbs.
#pragma once

#include <string>
#include <vector>

#include "host/cli/verb.hpp"

namespace summa::host {

std::string OverviewHelp(const std::vector<Verb>& verbs);
std::string VerbHelp(const Verb& verb);
// Verbs that begin with `words` ("config"), or an empty text.
std::string GroupHelp(const std::vector<Verb>& verbs, const std::string& words);
// troff, section 1; the host's own verbs only.
std::string ManPage(const std::vector<Verb>& verbs);
// The verb most like `words`, when it is near enough.
std::string SuggestVerb(const std::vector<Verb>& verbs, const std::string& words);

}  // namespace summa::host
