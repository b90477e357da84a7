#include "host/plugin/discovery.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "host/config/text.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;

// A plugin directory contains tens of files; /usr/lib, given by mistake, contains thousands.
constexpr std::size_t kMaxFilesPerDirectory = 1000;
constexpr char kSystemDirectory[] = "/usr/lib/summa/plugins";

std::vector<std::string> LibrariesIn(const std::string& directory, Discovery& discovery) {
  std::vector<std::string> paths;
  std::error_code failure;
  fs::directory_iterator entries(directory, failure);
  for (; !failure && entries != fs::directory_iterator(); entries.increment(failure)) {
    if (entries->path().extension() == ".so") paths.push_back(entries->path().string());
  }
  if (failure) {
    discovery.problems.push_back(
        {"SH-0102", "plugin directory " + directory + " cannot be read: " + failure.message(),
         "Let the user that runs the host read it", directory});
  }
  if (paths.size() > kMaxFilesPerDirectory) {
    discovery.problems.push_back({"SH-0101",
                                  "plugin directory " + directory + " has " +
                                      std::to_string(paths.size()) + " .so files; at most " +
                                      std::to_string(kMaxFilesPerDirectory) + " are read",
                                  "Name a directory that contains only plugins", directory});
    paths.clear();
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void RefuseTwins(PluginFile& first, PluginFile& second) {
  const auto refuse = [](PluginFile& file, const PluginFile& other) {
    const bool known = std::any_of(file.refusals.begin(), file.refusals.end(),
                                   [](const Error& refusal) { return refusal.code == "SH-0116"; });
    if (known) return;
    file.refusals.push_back({"SH-0116",
                             "plugin \"" + file.Id() + "\" exists twice in one directory: " +
                                 file.path + " and " + other.path,
                             "Remove one of the two files", file.path});
  };
  refuse(first, second);
  refuse(second, first);
}

// Compares the file with those found before it.
void Place(PluginFile file, Discovery& discovery) {
  const std::string directory = fs::path(file.path).parent_path().string();
  for (PluginFile& earlier : discovery.files) {
    if (!earlier.shadowed_by.empty()) continue;
    // A link: the same file under a second name.
    const bool same_file = file.identity.inode != 0 && file.identity == earlier.identity;
    const bool same_id = file.manifest && earlier.manifest && !file.manifest->id.empty() &&
                         file.manifest->id == earlier.manifest->id;
    if (!same_file && !same_id) continue;
    if (!same_file && fs::path(earlier.path).parent_path().string() == directory) {
      RefuseTwins(earlier, file);
    } else {
      file.shadowed_by = earlier.path;
    }
  }
  discovery.files.push_back(std::move(file));
}

void Add(std::vector<PluginDirectory>& directories, std::string path, bool named) {
  if (!path.empty()) directories.push_back({std::move(path), named});
}

}  // namespace

std::vector<PluginDirectory> PluginDirectories(const std::vector<std::string>& named) {
  std::vector<PluginDirectory> directories;
  for (const std::string& path : named) Add(directories, path, true);
  if (const char* variable = std::getenv("SUMMA_PLUGIN_PATH")) {
    for (const std::string_view path : Split(variable, ':')) {
      Add(directories, std::string(path), true);
    }
  }
  std::error_code failure;
  const fs::path executable = fs::read_symlink("/proc/self/exe", failure);
  if (!failure) {
    Add(directories,
        (executable.parent_path().parent_path() / "lib" / "summa" / "plugins").string(), false);
  }
  Add(directories, kSystemDirectory, false);
  return directories;
}

const PluginFile* Discovery::Find(const std::string& id) const {
  const PluginFile* by_name = nullptr;
  for (const PluginFile& file : files) {
    if (!file.shadowed_by.empty() || file.Id() != id) continue;
    if (file.manifest && file.manifest->id == id) return &file;
    if (by_name == nullptr) by_name = &file;
  }
  return by_name;
}

Error Discovery::NotFound(const std::string& id) const {
  std::vector<std::string> ids;
  for (const PluginFile& file : files) ids.push_back(file.Id());
  const auto near = Suggest(id, ids);
  Error error{"SH-0101",
              "plugin \"" + id + "\": file not found. Looked in: " +
                  (directories.empty() ? "no directory, as none of the known ones exists"
                                       : Join(directories)),
              "Install the plugin, or name its directory with --plugin-dir or SUMMA_PLUGIN_PATH",
              ""};
  if (near) error.hint = "Did you mean " + *near + "?";
  return error;
}

Discovery DiscoverPlugins(const std::vector<PluginDirectory>& directories,
                          const TrustPolicy& trust) {
  Discovery discovery;
  std::vector<fs::path> seen;
  for (const PluginDirectory& directory : directories) {
    std::error_code failure;
    const fs::path real = fs::canonical(directory.path, failure);
    if (failure || !fs::is_directory(real, failure)) {
      if (!directory.named) continue;
      discovery.problems.push_back({"SH-0101",
                                    "plugin directory " + directory.path + " does not exist",
                                    "Check --plugin-dir and SUMMA_PLUGIN_PATH", directory.path});
      continue;
    }
    if (Contains(seen, real)) continue;
    seen.push_back(real);
    discovery.directories.push_back(real.string());
    for (const std::string& path : LibrariesIn(real.string(), discovery)) {
      Place(InspectPlugin(path, trust), discovery);
    }
  }
  return discovery;
}

}  // namespace summa::host
