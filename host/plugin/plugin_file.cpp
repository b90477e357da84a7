#include "host/plugin/plugin_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <summa/abi/plugin.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <system_error>

#include "host/config/text.hpp"
#include "host/find.hpp"
#include "host/plugin/elf_file.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SUMMA_HOST_HAS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define SUMMA_HOST_HAS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SUMMA_HOST_HAS_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define SUMMA_HOST_HAS_TSAN 1
#endif

namespace summa::host {
namespace {

// The whole file is read. Plugins have a few MiB, with all debug information some tens.
constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;

std::string FileName(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

FileIdentity ToIdentity(const struct stat& status) {
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  return {status.st_dev, status.st_ino, static_cast<std::int64_t>(status.st_size),
          status.st_mtim.tv_sec * kNanosecondsPerSecond + status.st_mtim.tv_nsec};
}

class Descriptor {
 public:
  // O_NONBLOCK: a pipe in the directory must not stop the host.
  explicit Descriptor(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::optional<std::vector<char>> ReadAll(int fd, std::size_t size) {
  std::vector<char> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = pread(fd, bytes.data() + done, size - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

std::shared_ptr<const SealedFile> Seal(PluginFile& file, int descriptor) {
  try {
    return std::make_shared<SealedFile>(descriptor, FileName(file.path), kMaxFileBytes);
  } catch (const std::exception& failure) {
    file.refusals.push_back(
        {"SH-0113", FileName(file.path) + " cannot be read into memory: " + failure.what(),
         "Check the memory of the machine and the disk, and start again", file.path});
    return nullptr;
  }
}

// Reads the file into `bytes`, or seals it, when it is a regular one that may be trusted; otherwise
// refuses it.
bool ReadTrusted(PluginFile& file, const TrustPolicy& trust, Reading reading,
                 std::vector<char>& bytes) {
  const std::string name = FileName(file.path);
  const auto refuse = [&](const char* code, std::string message, std::string hint) {
    file.refusals.push_back({code, std::move(message), std::move(hint), file.path});
    return false;
  };
  const Descriptor descriptor(file.path);
  if (descriptor.get() < 0) {
    const int failure = errno;
    const std::string reason = std::generic_category().message(failure);
    if (failure == ENOENT || failure == ENOTDIR) {
      return refuse("SH-0101", "plugin file not found: " + file.path,
                    "Check the path, or install the plugin");
    }
    return refuse("SH-0102", name + " cannot be read: " + reason,
                  "Make it readable for the user that runs the host: chmod a+r " + file.path);
  }
  struct stat status {};
  if (fstat(descriptor.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return refuse("SH-0113", name + " is not a regular file", "Put the plugin's .so file there");
  }
  file.identity = ToIdentity(status);
  file.owner = status.st_uid;
  file.refusals = CheckTrust(file.path, trust);
  if (!file.refusals.empty()) return false;
  if (static_cast<std::size_t>(file.identity.size) > kMaxFileBytes) {
    return refuse("SH-0113",
                  name + " has " + std::to_string(file.identity.size) +
                      " bytes; this host reads plugins of at most 512 MiB",
                  "Strip its debug information: strip " + file.path);
  }
  if (reading == Reading::kSealed) {
    file.sealed = Seal(file, descriptor.get());
    return file.sealed != nullptr;
  }
  auto content = ReadAll(descriptor.get(), static_cast<std::size_t>(file.identity.size));
  if (!content) {
    return refuse("SH-0113", name + " cannot be read to its end",
                  "Check the disk, and install the plugin again");
  }
  bytes = *std::move(content);
  return true;
}

Error ToError(const ElfProblem& problem, const std::string& path) {
  const std::string message = FileName(path) + " " + problem.what();
  switch (problem.kind()) {
    case ElfProblem::Kind::kOtherMachine:
      return {"SH-0103", message, "Install the plugin that is built for this machine", path};
    case ElfProblem::Kind::kNoManifest:
      return {"SH-0104", message,
              "Build it with summa_add_plugin(), or move it out of the plugin directory", path};
    case ElfProblem::Kind::kBadManifest:
      return {"SH-0114", message,
              "Build it with summa_add_plugin() and do not change it afterwards", path};
    case ElfProblem::Kind::kDamaged:
      break;
  }
  return {"SH-0113", message, "Install the plugin again, or move the file out of the directory",
          path};
}

std::string Named(const PluginFile& file) {
  return "plugin \"" + file.Id() + "\"" +
         (file.manifest && !file.manifest->version.empty() ? " " + file.manifest->version : "");
}

// The major version is in the name of the exported symbol, so that it can be told before any code
// of the plugin runs.
bool CheckMajor(PluginFile& file, const std::vector<std::string>& symbols) {
  const std::string own = "summa_plugin_v" + std::to_string(SUMMA_ABI_MAJOR);
  if (Contains(symbols, own)) return true;
  const std::string speaks = "; this host supports v" + std::to_string(SUMMA_ABI_MAJOR);
  if (symbols.empty()) {
    file.refusals.push_back(
        {"SH-0122", Named(file) + " has a manifest, but exports no symbol " + own,
         "Use SUMMA_PLUGIN(...) once, and build it with summa_add_plugin()", file.path});
  } else {
    file.refusals.push_back({"SH-0106", Named(file) + " exports " + Join(symbols) + speaks,
                             "Install the release of the plugin for this host, or the release of "
                             "summa-host for this plugin",
                             file.path});
  }
  return false;
}

bool CheckMinor(PluginFile& file) {
  const Manifest& manifest = *file.manifest;
  if (manifest.abi_major == 0 && manifest.abi_minor == 0) return true;  // a problem of the manifest
  if (manifest.abi_major == SUMMA_ABI_MAJOR && manifest.abi_minor <= SUMMA_ABI_MINOR) return true;
  const std::string offered =
      std::to_string(SUMMA_ABI_MAJOR) + "." + std::to_string(SUMMA_ABI_MINOR);
  file.refusals.push_back({"SH-0105",
                           Named(file) + " needs host ABI " + std::to_string(manifest.abi_major) +
                               "." + std::to_string(manifest.abi_minor) +
                               "; this host (" SUMMA_VERSION ") offers " + offered,
                           "Upgrade summa-host, or install a release of " + file.Id() +
                               " that needs ABI " + offered + " or lower",
                           file.path});
  return false;
}

// The runtime of a sanitizer that comes in with a plugin ends the process at once.
void CheckSanitizer(PluginFile& file) {
  for (const std::string& library : file.needed) {
    bool foreign = false;
#ifndef SUMMA_HOST_HAS_ASAN
    foreign = foreign || library.starts_with("libasan.");
#endif
#ifndef SUMMA_HOST_HAS_TSAN
    foreign = foreign || library.starts_with("libtsan.");
#endif
#if !defined(SUMMA_HOST_HAS_ASAN) && !defined(SUMMA_HOST_HAS_TSAN)
    foreign = foreign || library.starts_with("libubsan.") || library.starts_with("liblsan.");
#endif
    if (!foreign) continue;
    file.refusals.push_back({"SH-0125",
                             Named(file) + " is built with a sanitizer (it needs " + library +
                                 "); this host is not, and the sanitizer would end it",
                             "Build the plugin without -fsanitize, or the host with the same one",
                             file.path});
  }
}

// Gives each step of the manifest its text: path and text in turn, each ended by a zero byte.
void ReadSteps(PluginFile& file, std::string_view section) {
  std::map<std::string_view, std::string_view> texts;
  const auto next = [&section] {
    const std::size_t end = section.find('\0');
    const std::string_view text = section.substr(0, end);
    section = end == section.npos ? std::string_view{} : section.substr(end + 1);
    return text;
  };
  while (!section.empty()) {
    const std::string_view path = next();
    texts[path] = next();
  }
  for (SchemaFile& step : file.manifest->schema) {
    const auto found = texts.find(step.path);
    if (found != texts.end() && !found->second.empty()) {
      step.sql = found->second;
      continue;
    }
    file.refusals.push_back({"SH-0114",
                             FileName(file.path) + " does not contain the step " + step.path +
                                 " in its section .summa.schema",
                             "Build it with summa_add_plugin() and do not change it afterwards",
                             file.path});
  }
}

}  // namespace

std::string PluginFile::Id() const {
  if (manifest && !manifest->id.empty()) return manifest->id;
  return std::filesystem::path(path).stem().string();
}

std::optional<FileIdentity> IdentityOf(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return ToIdentity(status);
}

PluginFile InspectPlugin(const std::string& path, const TrustPolicy& trust, Reading reading) {
  PluginFile file;
  file.path = path;
  std::vector<char> bytes;
  if (!ReadTrusted(file, trust, reading, bytes)) return file;
  ElfFile elf;
  try {
    elf = ReadElfFile(file.sealed ? file.sealed->bytes() : bytes);
  } catch (const ElfProblem& problem) {
    file.refusals.push_back(ToError(problem, path));
    return file;
  }
  file.manifest_address = elf.manifest_address;
  file.needed = std::move(elf.needed);
  file.library_paths = std::move(elf.library_paths);
  file.other_exports = std::move(elf.other_exports);
  file.other_export_count = elf.other_export_count;
  Diagnostics diagnostics;
  file.manifest = ReadManifest(elf.manifest, FileName(path) + "(.summa.manifest)", diagnostics);
  // Versions first: a manifest for a later host may contain keys that are unknown here.
  if (!CheckMajor(file, elf.entry_symbols) || !CheckMinor(file)) return file;
  for (const Diagnostic& problem : diagnostics) file.refusals.push_back(ToError(problem));
  ReadSteps(file, elf.schema);
  CheckSanitizer(file);
  return file;
}

}  // namespace summa::host
