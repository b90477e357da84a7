#include "host/plugin/loader.hpp"

#define BOOST_DLL_USE_STD_FS
#include <dlfcn.h>
#include <link.h>

#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "host/config/text.hpp"
#include "host/plugin/code_map.hpp"
#include "host/plugin/loaded_libraries.hpp"

namespace summa::host {
namespace {

namespace dll = boost::dll;
namespace fs = std::filesystem;

constexpr char kEntrySymbol[] = "summa_plugin_v1";
static_assert(SUMMA_ABI_MAJOR == 1, "the name of the entry symbol carries the major version");

// What is loaded, and what it was loaded from.
struct Loaded {
  dll::shared_library library;
  std::shared_ptr<const SealedFile> sealed;
};

// Keeps every library until the process ends; deliberately never destroyed.
void KeepForEver(dll::shared_library library, std::shared_ptr<const SealedFile> sealed) {
  static auto* const libraries = new std::vector<Loaded>();
  libraries->push_back({std::move(library), std::move(sealed)});
}

// Boost appends the text of an error code that has nothing to do with the failure: the useful part
// is in the parentheses.
std::string LoaderText(const std::string& what) {
  constexpr std::string_view kBegin = "dlerror system message: ";
  const auto begin = what.find(kBegin);
  if (begin == std::string::npos) return what;
  const std::string rest = what.substr(begin + kBegin.size());
  const auto end = rest.rfind("):");
  return rest.substr(0, end != std::string::npos ? end : rest.rfind(')'));
}

bool IsInPaths(const PluginFile& file, const std::string& library) {
  const std::string origin = fs::path(file.path).parent_path().string();
  for (std::string directory : file.library_paths) {
    for (const std::string_view word :
         {std::string_view("${ORIGIN}"), std::string_view("$ORIGIN")}) {
      const auto place = directory.find(word);
      if (place != std::string::npos) directory.replace(place, word.size(), origin);
    }
    std::error_code failure;
    if (fs::exists(fs::path(directory) / library, failure)) return true;
  }
  return false;
}

// The dynamic loader stops at the first library that is missing; people want to hear of all. Asked
// only after a failure, as opening a library runs its initialisers.
std::vector<std::string> MissingLibraries(const PluginFile& file) {
  std::vector<std::string> missing;
  for (const std::string& library : file.needed) {
    if (IsInPaths(file, library)) continue;
    void* handle = dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (handle == nullptr) {
      missing.push_back(library);
    } else {
      dlclose(handle);
    }
  }
  return missing;
}

[[noreturn]] void CannotLoad(const PluginFile& file, const std::string& reason) {
  const std::string name = fs::path(file.path).filename().string();
  const std::string missing = Join(MissingLibraries(file));
  if (missing.empty()) {
    throw Failure("SH-0110", name + " could not be loaded: " + reason,
                  "Install a release of the plugin that is built for this system", file.path);
  }
  throw Failure("SH-0110",
                name + " could not be loaded: " + missing + ": cannot open shared object file",
                "Install the packages that contain " + missing, file.path);
}

[[noreturn]] void Mismatch(const PluginFile& file, const std::string& found) {
  throw Failure("SH-0122", "plugin \"" + file.Id() + "\": " + found,
                "Build it with summa_add_plugin() and SUMMA_PLUGIN(...), and install it again",
                file.path);
}

// Names without a version are bound to what was loaded first: code for one version would run with
// the objects of another one, and crash somewhere else.
void RefuseOtherVersions(const PluginFile& file) {
  const std::vector<LoadedLibrary> loaded = LoadedLibraries();
  for (const std::string& library : file.needed) {
    const LoadedLibrary* other = OtherVersionOf(library, loaded);
    if (other == nullptr || other->versioned) continue;
    throw Failure(
        "SH-0170",
        "plugin \"" + file.Id() + "\" needs " + library + ", and this process has already loaded " +
            other->name + ", another version of the same library",
        "Build the plugin with " + other->name + ", or link the library statically", file.path);
  }
}

std::string Version(unsigned major, unsigned minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

void CheckEntry(const PluginFile& file, const summa_entry& entry, std::uintptr_t base) {
  if (entry.magic != SUMMA_ENTRY_MAGIC) Mismatch(file, "summa_plugin_v1 is not a summa_entry");
  if (entry.struct_size < sizeof(summa_entry)) {
    Mismatch(file, "its descriptor has " + std::to_string(entry.struct_size) +
                       " bytes, needed at least " + std::to_string(sizeof(summa_entry)));
  }
  const Manifest& manifest = *file.manifest;
  if (entry.abi_major != manifest.abi_major || entry.abi_minor != manifest.abi_minor) {
    Mismatch(file, "its descriptor needs ABI " + Version(entry.abi_major, entry.abi_minor) +
                       ", its manifest says " +
                       Version(static_cast<unsigned>(manifest.abi_major),
                               static_cast<unsigned>(manifest.abi_minor)));
  }
  // The addresses first: pointers to somewhere else must not be followed.
  const auto begin = reinterpret_cast<std::uintptr_t>(entry.manifest_begin);
  const auto end = reinterpret_cast<std::uintptr_t>(entry.manifest_end);
  if (begin != base + file.manifest_address || end - begin != manifest.text.size() ||
      std::memcmp(entry.manifest_begin, manifest.text.data(), manifest.text.size()) != 0) {
    Mismatch(file, "the manifest of the loaded code is not the one in the file");
  }
  if (entry.create == nullptr) Mismatch(file, "its descriptor has no create function");
}

}  // namespace

const summa_entry& LoadPlugin(const PluginFile& file) {
  if (!file.refusals.empty()) throw Failure(file.refusals.front());
  if (file.sealed == nullptr && IdentityOf(file.path) != file.identity) {
    throw Failure("SH-0122",
                  "plugin \"" + file.Id() + "\": the file was replaced after it was examined",
                  "Start the host again", file.path);
  }
  RefuseOtherVersions(file);
  dll::shared_library library;
  try {
    library.load(fs::path(file.sealed ? file.sealed->path() : file.path),
                 dll::load_mode::rtld_now | dll::load_mode::rtld_local);
  } catch (const std::exception& failure) {
    CannotLoad(file, LoaderText(failure.what()));
  }
  KeepForEver(library, file.sealed);
  if (!library.has(kEntrySymbol)) Mismatch(file, "it exports no symbol summa_plugin_v1");
  const summa_entry& entry = library.get<const summa_entry>(kEntrySymbol);
  const link_map* map = nullptr;
  if (dlinfo(library.native(), RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) {
    Mismatch(file, "the dynamic loader does not know where it was loaded");
  }
  CheckEntry(file, entry, map->l_addr);
  RememberCode(file.Id(), map->l_addr);
  return entry;
}

}  // namespace summa::host
