// The verbs of the host, one function and one .cpp per group.
#pragma once

#include <vector>

#include "host/cli/verb.hpp"

namespace summa::host {

void AddRunVerbs(std::vector<Verb>& verbs);
void AddConfigVerbs(std::vector<Verb>& verbs);
void AddPluginsVerbs(std::vector<Verb>& verbs);
void AddPluginsLockVerb(std::vector<Verb>& verbs);
void AddNewPluginVerb(std::vector<Verb>& verbs);
void AddVerifyPluginVerb(std::vector<Verb>& verbs);
void AddWorkersVerbs(std::vector<Verb>& verbs);
void AddWorkerOrdersVerbs(std::vector<Verb>& verbs);
void AddOperationVerbs(std::vector<Verb>& verbs);
void AddBusVerbs(std::vector<Verb>& verbs);
void AddStatusVerbs(std::vector<Verb>& verbs);
void AddMetricsVerbs(std::vector<Verb>& verbs);
void AddDoctorVerbs(std::vector<Verb>& verbs);
void AddMigrateVerbs(std::vector<Verb>& verbs);
void AddExplainVerbs(std::vector<Verb>& verbs);
void AddVersionVerbs(std::vector<Verb>& verbs);

// What the manifests of installed plugins declare; none of their code runs before the verb does.
void AddManifestVerbs(const Discovery& discovery, std::vector<Verb>& verbs);

}  // namespace summa::host
