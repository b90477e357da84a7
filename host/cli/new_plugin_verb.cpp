// plugins new: the project of a plugin, ready to build.
#include <filesystem>
#include <fstream>
#include <summa/json.hpp>
#include <system_error>

#include "host/cli/plugin_project.hpp"
#include "host/cli/verbs.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void RefusePlace(const fs::path& place, const std::string& found) {
  throw Failure("SH-0912", found,
                "Choose another directory with --directory, or make room in this one",
                place.string());
}

void RequireFree(const fs::path& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) return;
  if (status.type() != fs::file_type::directory) {
    RefusePlace(directory, "there is something that is no directory");
  }
  const bool empty = fs::is_empty(directory, error);
  if (error) RefusePlace(directory, "the directory cannot be read: " + error.message());
  if (!empty) RefusePlace(directory, "the directory is not empty; a new project needs one that is");
}

void WriteFile(const fs::path& path, const std::string& text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) RefusePlace(path.parent_path(), "cannot be created: " + error.message());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) RefusePlace(path, "cannot be written");
}

// What to type next, from the directory in which the verb was called.
std::vector<std::string> NextCommands(const std::string& directory, const std::string& kind) {
  const std::string build = directory + "/build";
  std::string run = "run --once";
  if (kind == "bus") run = "bus streams";
  if (kind == "endpoint") run = "run";
  return {
      "cmake -S " + directory + " -B " + build + " && cmake --build " + build,
      "ctest --test-dir " + build + " --output-on-failure",
      "summa-sandbox summa-host " + run + " -c " + directory + "/summa.yaml --plugin-dir " + build};
}

VerbResult New(const Invocation& call) {
  const std::string name = call.options.String("name");
  const std::string kind = call.options.String("kind");
  if (const std::string problem = ProblemOfProjectName(name); !problem.empty()) {
    throw Failure("SH-0900", "\"" + name + "\" cannot be the name of a plugin", problem);
  }
  std::string directory = call.options.String("directory");
  if (directory.empty()) directory = name;
  RequireFree(directory);
  JsonWriter json;
  json.BeginObject().Member("id", name).Member("kind", kind).Member("directory", directory);
  json.Key("files").BeginArray();
  const std::vector<ProjectFile> files = MakeProject(name, kind);
  for (const ProjectFile& file : files) {
    WriteFile(fs::path(directory) / file.path, file.text);
    json.Value(file.path);
  }
  json.EndArray();
  const std::vector<std::string> commands = NextCommands(directory, kind);
  json.Member("commands", commands).EndObject();
  VerbResult result{.json = json.Take()};
  result.text = "wrote " + std::to_string(files.size()) + " files to " + directory +
                ". Build it, test it, run it:\n\n";
  for (const std::string& command : commands) result.text += "  " + command + "\n";
  return result;
}

}  // namespace

void AddNewPluginVerb(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "plugins new";
  verb.summary = "write the project of a new plugin";
  verb.description =
      "Writes a project that builds against the installed SDK (package summa-sdk): manifest, code, "
      "a test on the test kit and one on a private PostgreSQL, and a configuration to try it. It "
      "is "
      "a small example that works; change it into yours. Prints the three commands that build it, "
      "test it and run it.";
  VerbOption kind = MakeOption("kind", Schema::Type::kEnum, "what the plugin is", "worker");
  kind.declaration.schema.values = ProjectKinds();
  verb.options = {MakeArgument("name", "its id: words with hyphens between them", "NAME"), kind,
                  MakeOption("directory", Schema::Type::kString,
                             "where to write it; NAME when it is not given", "", "DIRECTORY")};
  verb.exit_codes = {{0, "written"},
                     {64, "a plugin cannot have this name"},
                     {73, "the directory is not empty, or cannot be written"}};
  verb.example = "summa-host plugins new invoice-export --kind consumer";
  verb.run = New;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
