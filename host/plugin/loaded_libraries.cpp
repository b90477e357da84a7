#include "host/plugin/loaded_libraries.hpp"

#include <elf.h>
#include <link.h>

namespace summa::host {
namespace {

// "libspdlog" of "libspdlog.so.1.10"; empty: it has no version behind the ".so".
std::string_view StemOf(std::string_view library) {
  const std::size_t end = library.find(".so.");
  return end == std::string_view::npos ? std::string_view() : library.substr(0, end);
}

bool HasVersions(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const auto& segment = object.dlpi_phdr[i];
    if (segment.p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + segment.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_VERDEF) return true;
    }
  }
  return false;
}

int Add(dl_phdr_info* object, std::size_t, void* result) {
  const std::string_view path = object->dlpi_name;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.empty()) return 0;  // the program itself
  static_cast<std::vector<LoadedLibrary>*>(result)->push_back(
      {std::string(name), HasVersions(*object)});
  return 0;
}

}  // namespace

std::vector<LoadedLibrary> LoadedLibraries() {
  std::vector<LoadedLibrary> libraries;
  dl_iterate_phdr(&Add, &libraries);
  return libraries;
}

const LoadedLibrary* OtherVersionOf(std::string_view library,
                                    const std::vector<LoadedLibrary>& loaded) {
  const std::string_view stem = StemOf(library);
  if (stem.empty()) return nullptr;
  const LoadedLibrary* other = nullptr;
  for (const LoadedLibrary& each : loaded) {
    if (each.name == library) return nullptr;
    if (StemOf(each.name) == stem) other = &each;
  }
  return other;
}

}  // namespace summa::host
