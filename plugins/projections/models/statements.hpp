// The statements by which a read model adds to its rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <summa/projection.hpp>
#include <utility>

namespace summa::projections {

// With the table of the batch in the place of @table.
inline std::string OnTable(std::string_view statement, const std::string& table) {
  constexpr std::string_view kPlace = "@table";
  std::string text;
  for (std::size_t at = 0;;) {
    const std::size_t place = statement.find(kPlace, at);
    text.append(statement.substr(at, place - at));
    if (place == std::string_view::npos) return text;
    text.append(table);
    at = place + kPlace.size();
  }
}

// Of texts that are kept elsewhere.
inline Parameter TextsOf(std::span<const std::string_view> texts) {
  std::string bytes = detail::ArrayHeader(kOidText, texts.size());
  std::size_t size = bytes.size();
  for (const std::string_view text : texts) size += 4 + text.size();
  bytes.reserve(size);
  for (const std::string_view text : texts) {
    detail::AppendBigEndian(bytes, static_cast<std::int32_t>(text.size()));
    bytes += text;
  }
  return {kOidTextArray, std::move(bytes)};
}

// `changes`: while nobody else writes to the build, which is so but in the parts of a rebuild: whoever
// applies to a build has locked the row of its progress.
inline std::string ChooseStatement(const ProjectionBatch& batch, std::string_view table,
                                   std::string_view changes, std::string_view parts) {
  return OnTable(batch.unordered() ? parts : changes, batch.Table(table));
}

}  // namespace summa::projections
