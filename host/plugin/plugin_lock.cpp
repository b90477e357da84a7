#include "host/plugin/plugin_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <summa/json.hpp>
#include <system_error>

#include "host/config/schema.hpp"
#include "host/config/text.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;

// One byte more than ParseDocument takes, so that it is the one to refuse what is too large.
constexpr std::size_t kMaxRead = (std::size_t{1} << 20) + 1;

constexpr std::string_view kSchema = R"(
lock:
  type: integer
  required: true
  min: 1
  max: 1
  help: The version of the format.
plugins:
  type: map
  help: The plugins by id.
  any_key:
    type: map
    keys:
      version: { type: string, nullable: true, help: The version of the plugin. }
      sha256: { type: string, required: true, pattern: "[0-9a-f]{64}", examples: ["64 digits of hex"], help: The SHA-256 of the file. }
      owner: { type: string, required: true, min: 1, help: The user that the file belongs to. }
      path: { type: string, nullable: true, help: Where the file was. }
)";

const Schema& LockSchema() {
  static const Schema& schema = *new Schema([] {
    Diagnostics diagnostics;
    const Node root = ParseDocument(kSchema, "schema of the lock file", diagnostics);
    Schema read = ReadSchema(root, "", diagnostics);
    if (!diagnostics.empty()) throw std::logic_error(ToText(diagnostics.front()));
    return read;
  }());
  return schema;
}

// JSON's quotes and escapes are YAML's as well.
std::string Quoted(std::string_view text) { return JsonWriter().Value(text).Take(); }

std::string Accept(const std::string& id) {
  return "Find out who changed it. If it is meant to be so, accept it with `summa-host plugins "
         "lock " +
         id + "`";
}

std::string Named(const PluginFile& file) {
  const std::string version = file.manifest ? file.manifest->version : "";
  return "plugin \"" + file.Id() + "\"" + (version.empty() ? "" : " " + version) + ": " + file.path;
}

Error NotTheLocked(const PluginFile& file, const std::string& found, const PluginLock& lock) {
  return {"SH-0107", Named(file) + " " + found, Accept(file.Id()), lock.file};
}

Error Unusable(const std::string& path, const std::string& why) {
  return {"SH-0160", "the lock file of plugins " + why,
          "Write it with `summa-host plugins lock`, or remove `plugins.lock: require`", path};
}

[[noreturn]] void CannotWrite(const std::string& path, const std::string& what) {
  throw Failure("SH-0162",
                "the lock file of plugins could not be " + what + ": " +
                    std::generic_category().message(errno),
                "Run it as a user that may write there, or name another file with --file", path);
}

// The descriptor of a file that is being written; it is removed unless it was kept.
class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : path_(path),
        descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) {}
  ~NewFile() {
    if (descriptor_ < 0) return;
    close(descriptor_);
    if (!kept_) unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  bool ok() const { return descriptor_ >= 0; }
  bool Write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    // Whatever the umask says: it is no secret, and hosts of other users read it.
    return fchmod(descriptor_, 0644) == 0 && fsync(descriptor_) == 0;
  }
  bool MoveTo(const std::string& path) {
    kept_ = rename(path_.c_str(), path.c_str()) == 0;
    return kept_;
  }

 private:
  const std::string path_;
  const int descriptor_;
  bool kept_ = false;
};

}  // namespace

const LockedPlugin* PluginLock::Find(std::string_view id) const {
  return FindNamed(plugins, &LockedPlugin::id, id);
}

PluginLock ParsePluginLock(std::string_view text, const std::string& file,
                           Diagnostics& diagnostics) {
  PluginLock lock;
  lock.file = file;
  const Node root = ParseDocument(text, file, diagnostics);
  const Value value = Validate(LockSchema(), &root, "", diagnostics);
  const Value* plugins = value.Find("plugins");
  if (!diagnostics.empty() || plugins == nullptr) return lock;
  for (const auto& [id, entry] : plugins->members) {
    lock.plugins.push_back({id, entry.String("sha256"), entry.String("owner"),
                            entry.String("version"), entry.String("path")});
  }
  return lock;
}

std::string ToText(const PluginLock& lock) {
  std::string text =
      "# The plugins that a host with `plugins.lock: require` loads, and no others. Written by\n"
      "# `summa-host plugins lock`, which accepts what is installed now.\n"
      "lock: 1\nplugins:" +
      std::string(lock.plugins.empty() ? " {}\n" : "\n");
  for (const LockedPlugin& each : lock.plugins) {
    text.append("  ").append(Quoted(each.id)).append(":\n");
    text.append("    version: ").append(Quoted(each.version)).append("\n");
    text.append("    sha256: ").append(Quoted(each.sha256)).append("\n");
    text.append("    owner: ").append(Quoted(each.owner)).append("\n");
    text.append("    path: ").append(Quoted(each.path)).append("\n");
  }
  return text;
}

PluginLock ReadPluginLock(const std::string& path, const TrustPolicy& trust,
                          std::vector<Error>& problems) {
  PluginLock lock;
  lock.file = path;
  std::error_code failure;
  if (!fs::exists(path, failure)) {
    problems.push_back(Unusable(path, "does not exist"));
    return lock;
  }
  // Whoever may write it decides what is loaded.
  for (Error& error : CheckTrust(path, trust)) problems.push_back(std::move(error));
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxRead, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (!file.is_open() || file.bad() || fs::is_directory(path, failure)) {
    problems.push_back(Unusable(path, "cannot be read"));
    return lock;
  }
  Diagnostics diagnostics;
  PluginLock read = ParsePluginLock(text, path, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics) {
    problems.push_back(
        Unusable(ToText(diagnostic.where),
                 "is not valid: " + (diagnostic.path.empty()
                                         ? diagnostic.problem
                                         : diagnostic.path + ": " + diagnostic.problem)));
  }
  return problems.empty() ? read : lock;
}

void WritePluginLock(const PluginLock& lock) {
  // In the same directory, so that it can be renamed.
  const std::string temporary = lock.file + "." + std::to_string(getpid()) + ".new";
  NewFile file(temporary);
  if (!file.ok()) CannotWrite(lock.file, "created");
  if (!file.Write(ToText(lock))) CannotWrite(lock.file, "written");
  if (!file.MoveTo(lock.file)) CannotWrite(lock.file, "replaced");
}

LockedPlugin LockEntry(const PluginFile& file) {
  return {file.Id(), file.sealed->Sha256(), OwnerName(file.owner),
          file.manifest ? file.manifest->version : "", file.path};
}

std::optional<Error> CheckLock(const PluginFile& file, const PluginLock& lock) {
  const LockedPlugin found = LockEntry(file);
  const LockedPlugin* locked = lock.Find(found.id);
  if (locked == nullptr) {
    return NotTheLocked(
        file, "is not in the lock file; it has SHA-256 " + found.sha256 + ", owner " + found.owner,
        lock);
  }
  if (locked->sha256 != found.sha256) {
    const std::string version = locked->version.empty() ? "" : ", version " + locked->version;
    return NotTheLocked(
        file, "has SHA-256 " + found.sha256 + "; the locked file has " + locked->sha256 + version,
        lock);
  }
  if (locked->owner != found.owner) {
    return NotTheLocked(
        file,
        "belongs to user " + found.owner + "; the locked file belongs to user " + locked->owner,
        lock);
  }
  if (file.library_paths.empty()) return std::nullopt;
  return Error{"SH-0161",
               Named(file) + " looks for libraries in " + Join(file.library_paths) +
                   "; the lock file says nothing of their code",
               "Build it without a run path: link such libraries statically, or install them with "
               "the system",
               file.path};
}

PluginFile SealLocked(const PluginFile& found, const PluginLock& lock, const TrustPolicy& trust) {
  if (!found.refusals.empty() || !found.manifest) return found;
  PluginFile file = InspectPlugin(found.path, trust, Reading::kSealed);
  file.shadowed_by = found.shadowed_by;
  if (!file.refusals.empty()) return file;
  if (std::optional<Error> problem = CheckLock(file, lock)) {
    file.refusals.push_back(*std::move(problem));
  } else if (file.manifest->text != found.manifest->text) {
    file.refusals.push_back({"SH-0122", Named(file) + " was replaced after it was examined",
                             "Start the host again", file.path});
  }
  return file;
}

}  // namespace summa::host
