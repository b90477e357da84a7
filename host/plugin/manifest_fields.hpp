// Reads the members of one map of a manifest, strictly: what is unknown, missing, of the wrong form
// or too long becomes a diagnostic with its place. Used on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/document.hpp"

namespace summa::host {

inline constexpr char kManifestProblem[] = "SH-0115";

// The form of a text, with the words for people.
struct TextForm {
  const char* pattern;  // ECMAScript, for the whole text
  const char* words;    // "lower-case letters, digits, '.' and '-'"
  std::size_t max_bytes;
};

class ManifestFields {
 public:
  // `node` and `diagnostics` outlive this. A node that is not a map gives one diagnostic; every
  // field is then absent and not complained about again.
  ManifestFields(const Node& node, std::string path, Diagnostics& diagnostics);

  // The member, marked as known; nullptr when absent or empty.
  const Node* Find(std::string_view name);
  // Empty when absent; a required one is then a problem.
  std::string Text(std::string_view name, bool required, const TextForm& form);
  // The place of the text in `words`; nothing when absent or wrong.
  std::optional<std::size_t> Choice(std::string_view name, bool required,
                                    const std::vector<std::string>& words);
  bool Flag(std::string_view name);
  // Microseconds; 0 when absent or wrong.
  std::int64_t Duration(std::string_view name, bool required);
  // The items of a list of at most `max_items`; empty when absent.
  std::vector<const Node*> Items(std::string_view name, std::size_t max_items);
  std::vector<std::string> Texts(std::string_view name, std::size_t max_items,
                                 const TextForm& form);
  // Reports members that were never asked for. Call it last.
  void Finish();

  void Report(const Node* where, std::string_view name, std::string problem, std::string fix);
  std::string PathOf(std::string_view name) const;
  bool usable() const { return usable_; }

 private:
  std::string Check(const Node& value, std::string_view name, const TextForm& form);

  const Node& node_;
  std::string path_;
  Diagnostics& diagnostics_;
  std::vector<std::string> known_;
  bool usable_ = false;
};

}  // namespace summa::host
