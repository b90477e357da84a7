#include "host/plugin/elf_file.hpp"

#include <elf.h>
#include <link.h>
#include <summa/abi/schema.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "host/config/text.hpp"

namespace summa::host {
namespace {

using Kind = ElfProblem::Kind;
using FileHeader = ElfW(Ehdr);
using SectionHeader = ElfW(Shdr);
using ProgramHeader = ElfW(Phdr);
using DynamicEntry = ElfW(Dyn);
using Symbol = ElfW(Sym);

constexpr std::string_view kManifestSection = ".summa.manifest";
constexpr std::string_view kSchemaSection = SUMMA_SCHEMA_SECTION;
constexpr std::string_view kEntryPrefix = "summa_plugin_v";
// Longer than any path; bounds the work on a string table without ends.
constexpr std::size_t kMaxNameBytes = 4096;
// Far above any real plugin; bounds the memory that a forged table can ask for.
constexpr std::size_t kMaxLibraries = 1024;
constexpr std::size_t kMaxEntrySymbols = 16;
constexpr std::size_t kNamedExports = 8;  // of those that should not be there
constexpr unsigned char kHostClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr unsigned char kHostData =
    std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

#if defined(__x86_64__)
constexpr std::uint16_t kHostMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kHostMachine = EM_AARCH64;
#elif defined(__riscv)
constexpr std::uint16_t kHostMachine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr std::uint16_t kHostMachine = EM_PPC64;
#elif defined(__s390x__)
constexpr std::uint16_t kHostMachine = EM_S390;
#elif defined(__arm__)
constexpr std::uint16_t kHostMachine = EM_ARM;
#elif defined(__i386__)
constexpr std::uint16_t kHostMachine = EM_386;
#else
#error "name the ELF machine of this processor here"
#endif

[[noreturn]] void Damaged(const std::string& text) { throw ElfProblem(Kind::kDamaged, text); }

// A machine in the words of `uname -m`.
std::string MachineName(std::uint16_t machine, unsigned char elf_class, unsigned char data) {
  const bool little = data == ELFDATA2LSB;
  const bool wide = elf_class == ELFCLASS64;
  switch (machine) {
    case EM_X86_64:
      return wide ? "x86_64" : "x32";
    case EM_386:
      return "i386";
    case EM_AARCH64:
      return little ? "aarch64" : "aarch64_be";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return wide ? "riscv64" : "riscv32";
    case EM_PPC64:
      return little ? "ppc64le" : "ppc64";
    case EM_S390:
      return wide ? "s390x" : "s390";
    default:
      return "a machine with the ELF number " + std::to_string(machine) +
             (wide ? " (64 bit, " : " (32 bit, ") + (little ? "little-endian)" : "big-endian)");
  }
}

std::span<const char> Slice(std::span<const char> bytes, std::uint64_t offset, std::uint64_t size,
                            const char* what) {
  if (offset > bytes.size() || bytes.size() - offset < size) {
    Damaged(std::string("is damaged or truncated: ") + what + " should end at byte " +
            (size > UINT64_MAX - offset ? std::string("2^64 or later")
                                        : std::to_string(offset + size)) +
            ", but the file has " + std::to_string(bytes.size()) + " bytes");
  }
  return bytes.subspan(offset, size);
}

template <typename T>
T Read(std::span<const char> bytes, std::uint64_t offset, const char* what) {
  T value;
  std::memcpy(&value, Slice(bytes, offset, sizeof(T), what).data(), sizeof(T));
  return value;
}

template <typename T>
T Entry(std::span<const char> table, std::size_t index) {
  T value;
  std::memcpy(&value, table.data() + index * sizeof(T), sizeof(T));
  return value;
}

// The text that begins at `offset` of a string table; it must end inside the table.
std::string_view Text(std::span<const char> table, std::uint64_t offset, const char* what) {
  if (offset >= table.size()) {
    Damaged(std::string("is damaged: ") + what + " has no name in its string table");
  }
  const char* begin = table.data() + offset;
  const void* end = std::memchr(begin, '\0', std::min(table.size() - offset, kMaxNameBytes));
  if (end == nullptr) {
    Damaged(std::string("is damaged: the name of ") + what + " is longer than " +
            std::to_string(kMaxNameBytes) + " bytes or does not end");
  }
  return {begin, static_cast<std::size_t>(static_cast<const char*>(end) - begin)};
}

FileHeader ReadHeader(std::span<const char> bytes) {
  if (bytes.empty()) Damaged("is empty");
  if (bytes.size() < EI_NIDENT || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) {
    Damaged("is not an ELF file");
  }
  const auto elf_class = static_cast<unsigned char>(bytes[EI_CLASS]);
  const auto data = static_cast<unsigned char>(bytes[EI_DATA]);
  // e_type and e_machine are at the same place for every class.
  auto machine = Read<std::uint16_t>(bytes, offsetof(FileHeader, e_machine), "the file header");
  if (data != kHostData) machine = static_cast<std::uint16_t>(machine << 8 | machine >> 8);
  if (elf_class != kHostClass || data != kHostData || machine != kHostMachine) {
    throw ElfProblem(Kind::kOtherMachine, "is built for " + MachineName(machine, elf_class, data) +
                                              "; this host is " +
                                              MachineName(kHostMachine, kHostClass, kHostData));
  }
  const auto header = Read<FileHeader>(bytes, 0, "the file header");
  if (header.e_type != ET_DYN) {
    Damaged("is not a shared object (ELF type " + std::to_string(header.e_type) + ", needed " +
            std::to_string(ET_DYN) + ")");
  }
  return header;
}

struct Sections {
  std::vector<SectionHeader> headers;
  std::span<const char> names;
};

std::span<const char> Content(std::span<const char> bytes, const SectionHeader& section,
                              const char* what) {
  if (section.sh_type == SHT_NOBITS) return {};
  return Slice(bytes, section.sh_offset, section.sh_size, what);
}

Sections ReadSections(std::span<const char> bytes, const FileHeader& header) {
  if (header.e_shoff == 0) {
    throw ElfProblem(Kind::kNoManifest, "has no sections at all, so no .summa.manifest");
  }
  if (header.e_shentsize != sizeof(SectionHeader)) {
    Damaged("is damaged: its section headers have " + std::to_string(header.e_shentsize) +
            " bytes, needed " + std::to_string(sizeof(SectionHeader)));
  }
  // Large files keep the count and the index of the names in the first section header.
  const auto first = Read<SectionHeader>(bytes, header.e_shoff, "the section table");
  const std::uint64_t count = header.e_shnum != 0 ? header.e_shnum : first.sh_size;
  const std::uint64_t names = header.e_shstrndx != SHN_XINDEX ? header.e_shstrndx : first.sh_link;
  if (count > kMaxSections) {
    Damaged("has " + std::to_string(count) + " sections; this host reads at most " +
            std::to_string(kMaxSections));
  }
  const auto table =
      Slice(bytes, header.e_shoff, count * sizeof(SectionHeader), "the section table");
  Sections sections;
  for (std::size_t i = 0; i < count; ++i) {
    sections.headers.push_back(Entry<SectionHeader>(table, i));
  }
  if (names >= count) Damaged("is damaged: it has no table of section names");
  sections.names = Content(bytes, sections.headers[names], "the table of section names");
  return sections;
}

// The one section of this name; nullptr: there is none.
const SectionHeader* FindSection(const Sections& sections, std::string_view name) {
  const SectionHeader* found = nullptr;
  for (const SectionHeader& section : sections.headers) {
    if (section.sh_type == SHT_NULL) continue;
    if (Text(sections.names, section.sh_name, "a section") != name) continue;
    if (found != nullptr) {
      throw ElfProblem(Kind::kBadManifest, "has two sections named " + std::string(name));
    }
    found = &section;
  }
  return found;
}

std::string ReadSection(std::span<const char> bytes, const SectionHeader& section,
                        const std::string& name, std::size_t most_bytes) {
  std::string problem;
  if ((section.sh_flags & SHF_COMPRESSED) != 0) problem = "is compressed";
  if ((section.sh_flags & SHF_ALLOC) == 0) problem = "is not a part of the loaded program";
  if (section.sh_type == SHT_NOBITS || section.sh_size == 0) problem = "is empty";
  if (section.sh_size > most_bytes) {
    problem = "is larger than " + std::to_string(most_bytes / 1024) + " KiB";
  }
  if (!problem.empty()) {
    throw ElfProblem(Kind::kBadManifest, "has a " + name + " section that " + problem);
  }
  const auto content = Content(bytes, section, ("the section " + name).c_str());
  return {content.data(), content.size()};
}

void ReadOwnSections(std::span<const char> bytes, const Sections& sections, ElfFile& file) {
  const SectionHeader* manifest = FindSection(sections, kManifestSection);
  if (manifest == nullptr) {
    throw ElfProblem(Kind::kNoManifest,
                     "has no .summa.manifest section: it is a shared library, but not a summa "
                     "plugin (or its manifest was removed with objcopy)");
  }
  file.manifest = ReadSection(bytes, *manifest, std::string(kManifestSection), kMaxManifestBytes);
  file.manifest_address = manifest->sh_addr;
  const SectionHeader* schema = FindSection(sections, kSchemaSection);
  if (schema == nullptr) return;
  file.schema = ReadSection(bytes, *schema, std::string(kSchemaSection), kMaxSchemaBytes);
}

// The content of the string table that a section of names or symbols is linked to.
std::span<const char> LinkedStrings(std::span<const char> bytes, const Sections& sections,
                                    const SectionHeader& section) {
  if (section.sh_link >= sections.headers.size()) {
    Damaged("is damaged: a dynamic section has no string table");
  }
  return Content(bytes, sections.headers[section.sh_link], "a string table");
}

void ReadDynamic(std::span<const char> bytes, const Sections& sections, ElfFile& file) {
  for (const SectionHeader& section : sections.headers) {
    if (section.sh_type != SHT_DYNAMIC) continue;
    const auto table = Content(bytes, section, "the dynamic section");
    const auto names = LinkedStrings(bytes, sections, section);
    for (std::size_t i = 0; i < table.size() / sizeof(DynamicEntry); ++i) {
      const auto entry = Entry<DynamicEntry>(table, i);
      if (entry.d_tag == DT_NULL) break;
      if (file.needed.size() + file.library_paths.size() > kMaxLibraries) {
        Damaged("is damaged: it needs more than " + std::to_string(kMaxLibraries) + " libraries");
      }
      if (entry.d_tag == DT_NEEDED) {
        file.needed.emplace_back(Text(names, entry.d_un.d_val, "a needed library"));
      } else if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) {
        for (const auto path : Split(Text(names, entry.d_un.d_val, "a library path"), ':')) {
          if (!path.empty()) file.library_paths.emplace_back(path);
        }
      }
    }
  }
}

// Of a symbol that is seen by other objects. The macros of elf.h are the same for both classes.
bool IsExported(const Symbol& symbol) {
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return binding != STB_LOCAL && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

void ReadEntrySymbols(std::span<const char> bytes, const Sections& sections, ElfFile& file) {
  for (const SectionHeader& section : sections.headers) {
    if (section.sh_type != SHT_DYNSYM) continue;
    const auto table = Content(bytes, section, "the table of dynamic symbols");
    const auto names = LinkedStrings(bytes, sections, section);
    for (std::size_t i = 0; i < table.size() / sizeof(Symbol); ++i) {
      const auto symbol = Entry<Symbol>(table, i);
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_name == 0) continue;
      if (symbol.st_name >= names.size()) {
        Damaged("is damaged: a dynamic symbol has no name in its string table");
      }
      const std::string_view rest(names.data() + symbol.st_name, names.size() - symbol.st_name);
      if (!rest.starts_with(kEntryPrefix)) {
        if (!IsExported(symbol) || ++file.other_export_count > kNamedExports) continue;
        file.other_exports.emplace_back(Text(names, symbol.st_name, "a dynamic symbol"));
        continue;
      }
      if (file.entry_symbols.size() == kMaxEntrySymbols) {
        Damaged("is damaged: it exports too many symbols named summa_plugin_v*");
      }
      file.entry_symbols.emplace_back(Text(names, symbol.st_name, "a dynamic symbol"));
    }
  }
  std::sort(file.entry_symbols.begin(), file.entry_symbols.end());
}

// The dynamic loader maps segments without a look at the size of the file: a truncated file would
// end the process with SIGBUS.
void CheckSegments(std::span<const char> bytes, const FileHeader& header) {
  if (header.e_phentsize != sizeof(ProgramHeader) || header.e_phnum == 0 ||
      header.e_phnum == PN_XNUM) {
    Damaged("is damaged: it has no usable program headers");
  }
  const auto table =
      Slice(bytes, header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(ProgramHeader),
            "the table of program headers");
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = Entry<ProgramHeader>(table, i);
    if (segment.p_type == PT_NULL) continue;
    Slice(bytes, segment.p_offset, segment.p_filesz, "a segment");
  }
}

}  // namespace

ElfFile ReadElfFile(std::span<const char> bytes) {
  const FileHeader header = ReadHeader(bytes);
  const Sections sections = ReadSections(bytes, header);
  CheckSegments(bytes, header);
  ElfFile file;
  ReadOwnSections(bytes, sections, file);
  ReadDynamic(bytes, sections, file);
  ReadEntrySymbols(bytes, sections, file);
  return file;
}

}  // namespace summa::host
