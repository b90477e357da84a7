// Where the configuration is and how it is read from disk.
#include <filesystem>
#include <fstream>
#include <system_error>

#include "host/error.hpp"
#include "host/settings/configuration.hpp"

namespace summa::host {
namespace {

// One byte more than ParseDocument takes, so that it is the one to refuse a file that is too big.
constexpr std::size_t kMaxRead = (std::size_t{1} << 20) + 1;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

std::string FindConfigurationFile(const std::string& given, const Environment& environment) {
  if (!given.empty()) {
    if (Exists(given)) return given;
    throw Failure("SH-0200", "configuration file " + given + " (named with -c) does not exist",
                  "Check the path");
  }
  std::string named = environment("SUMMA_CONFIG").value_or("");
  if (!named.empty()) {
    if (Exists(named)) return named;
    throw Failure("SH-0200",
                  "configuration file " + named + " (named by SUMMA_CONFIG) does not exist",
                  "Check the variable, or unset it");
  }
  for (const char* path : {"./summa.yaml", "/etc/summa/summa.yaml"}) {
    if (Exists(path)) return path;
  }
  throw Failure("SH-0200",
                "no configuration file found. Looked for: -c (not given), SUMMA_CONFIG (not set), "
                "./summa.yaml, /etc/summa/summa.yaml",
                "Name the file with -c, or begin with a copy of config/summa.yaml");
}

LoadResult LoadConfigurationFile(const std::string& path, const Environment& environment,
                                 const std::vector<Manifest>& manifests) {
  const auto refuse = [&](const std::string& why) {
    return Failure("SH-0221", "the configuration file " + why, "Check its path, owner and mode",
                   path);
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) throw refuse("is a directory");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw refuse("cannot be opened");
  std::string text(kMaxRead, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) throw refuse("cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  return LoadConfiguration(text, path, environment, manifests);
}

}  // namespace summa::host
