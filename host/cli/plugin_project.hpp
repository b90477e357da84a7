// The project of a new plugin: an example of sdk/templates under another name.
#pragma once

#include <string>
#include <vector>

namespace summa::host {

struct ProjectFile {
  std::string path;  // in the project
  std::string text;
};

// "worker", "consumer", ...
const std::vector<std::string>& ProjectKinds();

// Why a plugin of `plugins new` cannot be called so; empty when it can. The name becomes the id, a
// namespace, a schema in the database and a prefix of error codes.
std::string ProblemOfProjectName(const std::string& name);

// `name` and `kind` are ones for which the functions above have no objection.
std::vector<ProjectFile> MakeProject(const std::string& name, const std::string& kind);

}  // namespace summa::host
