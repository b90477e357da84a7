// What an ELF shared object says about itself, read from its bytes without running any of its code.
//
// The bytes come from a file that nobody vouches for: every struct is copied out of a checked slice
// and every count has a limit. Pure functions, thread-safe, nothing of the input is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace summa::host {

// A manifest is a page of text; more is a mistake or an attack on the parser.
inline constexpr std::size_t kMaxManifestBytes = 64 * 1024;
// All steps of a plugin's tables.
inline constexpr std::size_t kMaxSchemaBytes = 1024 * 1024;
// Real plugins have about 40 sections, debug builds with one section per function a few hundred.
inline constexpr std::size_t kMaxSections = 4096;

struct ElfFile {
  std::string manifest;                    // the bytes of .summa.manifest
  std::string schema;                      // those of .summa.schema; empty: there is none
  std::uintptr_t manifest_address = 0;     // relative to where the file will be loaded
  std::vector<std::string> needed;         // DT_NEEDED, in order
  std::vector<std::string> library_paths;  // DT_RPATH and DT_RUNPATH, split at ':'
  std::vector<std::string> entry_symbols;  // defined dynamic symbols named summa_plugin_v*, sorted
  // Other symbols that whoever is loaded later may bind to, in their order; the first few.
  std::vector<std::string> other_exports;
  std::size_t other_export_count = 0;  // all of them
};

// Why the bytes are not a plugin of this host. what() completes the sentence "<file> ...".
class ElfProblem : public std::runtime_error {
 public:
  enum class Kind { kDamaged, kOtherMachine, kNoManifest, kBadManifest };
  ElfProblem(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// Throws ElfProblem.
ElfFile ReadElfFile(std::span<const char> bytes);

}  // namespace summa::host
