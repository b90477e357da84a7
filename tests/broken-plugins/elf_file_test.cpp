#include "host/plugin/elf_file.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>

#include <cstring>
#include <functional>

#include "tests/broken-plugins/plugin_files.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SUMMA_TEST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SUMMA_TEST_ASAN 1
#endif
#ifdef SUMMA_TEST_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (static_cast<void>(address))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(address))
#endif

namespace summa::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

using FileHeader = ElfW(Ehdr);
using SectionHeader = ElfW(Shdr);

std::vector<char> GoodPlugin() {
  std::vector<char> bytes = test::ReadFile(test::PluginPath("good", "good"));
  EXPECT_THAT(bytes, Not(IsEmpty()));
  return bytes;
}

// The sentence of the problem, or "" when the bytes are read as a plugin.
std::string Problem(std::span<const char> bytes) {
  try {
    ReadElfFile(bytes);
    return {};
  } catch (const ElfProblem& problem) {
    return problem.what();
  }
}

FileHeader HeaderOf(const std::vector<char>& bytes) {
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

void ChangeHeader(std::vector<char>& bytes, const std::function<void(FileHeader&)>& change) {
  FileHeader header = HeaderOf(bytes);
  change(header);
  std::memcpy(bytes.data(), &header, sizeof(header));
}

void ChangeSection(std::vector<char>& bytes, std::size_t index,
                   const std::function<void(SectionHeader&)>& change) {
  char* place = bytes.data() + HeaderOf(bytes).e_shoff + index * sizeof(SectionHeader);
  SectionHeader section;
  std::memcpy(&section, place, sizeof(section));
  change(section);
  std::memcpy(place, &section, sizeof(section));
}

std::size_t SectionIndex(std::vector<char>& bytes, const std::string& name) {
  const FileHeader header = HeaderOf(bytes);
  SectionHeader names;
  std::memcpy(&names, bytes.data() + header.e_shoff + header.e_shstrndx * sizeof(SectionHeader),
              sizeof(names));
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    std::string found;
    ChangeSection(bytes, i, [&](SectionHeader& section) {
      found = bytes.data() + names.sh_offset + section.sh_name;
    });
    if (found == name) return i;
  }
  ADD_FAILURE() << "no section " << name;
  return 0;
}

std::string ProblemWithManifestSection(const std::function<void(SectionHeader&)>& change) {
  std::vector<char> bytes = GoodPlugin();
  ChangeSection(bytes, SectionIndex(bytes, ".summa.manifest"), change);
  return Problem(bytes);
}

TEST(ElfFile, ReadsTheManifestTheNeededLibrariesAndTheEntrySymbolOfAPlugin) {
  const std::vector<char> bytes = GoodPlugin();
  const ElfFile file = ReadElfFile(bytes);
  EXPECT_THAT(file.manifest, StartsWith("manifest: 1\nid: good\n"));
  EXPECT_THAT(file.manifest, HasSubstr("help: \"How far it counts.\""));
  EXPECT_NE(file.manifest_address, 0U);
  EXPECT_THAT(file.entry_symbols, ElementsAre("summa_plugin_v1"));
  EXPECT_THAT(file.needed, ::testing::Contains(StartsWith("libc.so.")));
}

TEST(ElfFile, ReadsTheStepsOfAPluginsTables) {
  EXPECT_EQ(ReadElfFile(GoodPlugin()).schema, "");
  std::vector<char> bytes = test::ReadFile(test::PluginPath("keeper", "keeper"));
  const std::string schema = ReadElfFile(bytes).schema;
  EXPECT_THAT(schema, StartsWith(std::string("schema/ledger/001_page.sql\0CREATE SCHEMA", 40)));
  EXPECT_EQ(schema.back(), '\0');
  ChangeSection(bytes, SectionIndex(bytes, ".summa.schema"),
                [](SectionHeader& section) { section.sh_size = 1024 * 1024 + 1; });
  EXPECT_EQ(Problem(bytes), "has a .summa.schema section that is larger than 1024 KiB");
}

TEST(ElfFile, NamesTheSymbolOfAnotherMajorVersion) {
  const std::vector<char> bytes = test::ReadFile(test::PluginPath("other-major", "other-major"));
  EXPECT_THAT(ReadElfFile(bytes).entry_symbols, ElementsAre("summa_plugin_v2"));
}

TEST(ElfFile, TellsWhatIsNoElfFile) {
  EXPECT_EQ(Problem({}), "is empty");
  const std::string text = "#!/bin/sh\nexit 0\n";
  EXPECT_EQ(Problem(text), "is not an ELF file");
}

TEST(ElfFile, NamesTheMachineThatAFileIsBuiltFor) {
  std::vector<char> bytes = GoodPlugin();
  ChangeHeader(bytes, [](FileHeader& header) {
    header.e_machine = header.e_machine == EM_AARCH64 ? EM_RISCV : EM_AARCH64;
  });
  EXPECT_THAT(Problem(bytes), StartsWith(HeaderOf(bytes).e_machine == EM_AARCH64
                                             ? "is built for aarch64; this host is "
                                             : "is built for riscv64; this host is "));
  ChangeHeader(bytes, [](FileHeader& header) { header.e_machine = 4711; });
  EXPECT_THAT(Problem(bytes), StartsWith("is built for a machine with the ELF number 4711 ("));
}

TEST(ElfFile, RefusesAnExecutableAndAnObjectFile) {
  std::vector<char> bytes = GoodPlugin();
  ChangeHeader(bytes, [](FileHeader& header) { header.e_type = ET_REL; });
  EXPECT_EQ(Problem(bytes), "is not a shared object (ELF type 1, needed 3)");
}

TEST(ElfFile, RefusesEveryManifestSectionThatCannotBeUsed) {
  const std::string prefix = "has a .summa.manifest section that ";
  EXPECT_EQ(ProblemWithManifestSection([](SectionHeader& s) { s.sh_flags |= SHF_COMPRESSED; }),
            prefix + "is compressed");
  EXPECT_EQ(ProblemWithManifestSection([](SectionHeader& s) { s.sh_flags = 0; }),
            prefix + "is not a part of the loaded program");
  EXPECT_EQ(ProblemWithManifestSection([](SectionHeader& s) { s.sh_size = 0; }),
            prefix + "is empty");
  EXPECT_EQ(ProblemWithManifestSection([](SectionHeader& s) { s.sh_type = SHT_NOBITS; }),
            prefix + "is empty");
  EXPECT_EQ(ProblemWithManifestSection([](SectionHeader& s) { s.sh_size = 64 * 1024 + 1; }),
            prefix + "is larger than 64 KiB");
}

TEST(ElfFile, RefusesTwoManifestSections) {
  std::vector<char> bytes = GoodPlugin();
  SectionHeader manifest;
  ChangeSection(bytes, SectionIndex(bytes, ".summa.manifest"),
                [&](SectionHeader& section) { manifest = section; });
  ChangeSection(bytes, SectionIndex(bytes, ".comment"),
                [&](SectionHeader& section) { section.sh_name = manifest.sh_name; });
  EXPECT_EQ(Problem(bytes), "has two sections named .summa.manifest");
}

TEST(ElfFile, ReadsCountsOfSectionsFromTheFirstSectionHeader) {
  std::vector<char> bytes = GoodPlugin();
  const FileHeader before = HeaderOf(bytes);
  ChangeSection(bytes, 0, [&](SectionHeader& section) {
    section.sh_size = before.e_shnum;
    section.sh_link = before.e_shstrndx;
  });
  ChangeHeader(bytes, [](FileHeader& header) {
    header.e_shnum = 0;
    header.e_shstrndx = SHN_XINDEX;
  });
  EXPECT_EQ(Problem(bytes), "");
  ChangeSection(bytes, 0, [](SectionHeader& section) { section.sh_size = kMaxSections + 1; });
  EXPECT_EQ(Problem(bytes), "has 4097 sections; this host reads at most 4096");
}

TEST(ElfFile, RefusesAFileWithoutSections) {
  std::vector<char> bytes = GoodPlugin();
  ChangeHeader(bytes, [](FileHeader& header) { header.e_shoff = 0; });
  EXPECT_EQ(Problem(bytes), "has no sections at all, so no .summa.manifest");
}

TEST(ElfFile, EveryTruncationIsRefusedAndReadsNothingBehindTheEnd) {
  std::vector<char> bytes = GoodPlugin();
  std::size_t refused = 0;
  const std::size_t size = bytes.size();
  for (std::size_t length = size; length-- > 0;) {
    ASAN_POISON_MEMORY_REGION(bytes.data() + length, 1);
    if (!Problem({bytes.data(), length}).empty()) ++refused;
  }
  ASAN_UNPOISON_MEMORY_REGION(bytes.data(), size);
  EXPECT_EQ(refused, size);
}

// Each byte of the header and of the tables it points to, each bit and all bits.
TEST(ElfFile, NoFlippedByteOfAHeaderCrashesTheReader) {
  std::vector<char> bytes = GoodPlugin();
  const FileHeader header = HeaderOf(bytes);
  std::vector<std::pair<std::size_t, std::size_t>> regions = {
      {0, sizeof(FileHeader)},
      {header.e_phoff, std::size_t{header.e_phnum} * header.e_phentsize},
      {header.e_shoff, std::size_t{header.e_shnum} * header.e_shentsize}};
  for (const char* name : {".dynamic", ".dynsym", ".dynstr", ".shstrtab"}) {
    ChangeSection(bytes, SectionIndex(bytes, name), [&](SectionHeader& section) {
      regions.emplace_back(section.sh_offset, section.sh_size);
    });
  }
  std::size_t tried = 0;
  for (const auto& [begin, size] : regions) {
    for (std::size_t place = begin; place < begin + size; ++place) {
      for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF}) {
        bytes[place] = static_cast<char>(bytes[place] ^ flip);
        Problem(bytes);
        ++tried;
        bytes[place] = static_cast<char>(bytes[place] ^ flip);
      }
    }
  }
  EXPECT_GT(tried, 20'000U);
  EXPECT_EQ(Problem(bytes), "");
}

}  // namespace
}  // namespace summa::host
