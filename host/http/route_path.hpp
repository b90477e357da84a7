// The path of a route: words, and parameters in braces ("/v1/accounts/{id}/balance"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::host {

class RoutePath {
 public:
  RoutePath() = default;
  // nullopt: the text is not of the form, has more than 16 segments, or names a parameter twice.
  static std::optional<RoutePath> Parse(std::string_view text);

  bool empty() const { return segments_.empty(); }  // default-made
  // Of the parameters, in their order.
  const std::vector<std::string>& names() const { return names_; }
  const std::string& first_word() const { return segments_.front().text; }  // empty: a parameter

  // `path` as sent. The decoded values of the parameters, none of them empty; nullopt: it is
  // another path, or its encoding is wrong.
  std::optional<std::vector<std::string>> Match(std::string_view path) const;
  // Some path matches both.
  bool Overlaps(const RoutePath& other) const;
  // Every path that matches one matches the other.
  bool SameShape(const RoutePath& other) const;
  // Of two that overlap, the one with a word where the other has a parameter is asked first.
  bool IsAskedBefore(const RoutePath& other) const;

 private:
  struct Segment {
    std::string text;  // the word; empty for a parameter
    bool is_parameter() const { return text.empty(); }
  };
  std::vector<Segment> segments_;
  std::vector<std::string> names_;
};

// "%41" -> "A"; in a query '+' is a blank. nullopt: not an encoding, not UTF-8, or it has a NUL.
std::optional<std::string> DecodeUrl(std::string_view text, bool is_query);

}  // namespace summa::host
