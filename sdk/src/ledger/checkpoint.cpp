#include <summa/ledger/reader.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace summa::ledger {
namespace {

[[noreturn]] void Refuse(std::string_view text) {
  throw Error(SUMMA_E_DATA, "SH-0803",
              "holes of a checkpoint cannot be read: " + std::string(text.substr(0, 80)),
              "Set the checkpoint back to a position that was certainly delivered");
}

std::int64_t Number(std::string_view text, std::string_view whole) {
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    Refuse(whole);
  }
  return value;
}

// The first hole that ends at the number or behind it.
auto FirstHoleFrom(const std::vector<Checkpoint::Hole>& holes, std::int64_t number) {
  return std::lower_bound(
      holes.begin(), holes.end(), number,
      [](const Checkpoint::Hole& hole, std::int64_t wanted) { return hole.to < wanted; });
}

}  // namespace

bool Checkpoint::Has(std::int64_t number) const {
  if (number > position) return false;
  const auto hole = FirstHoleFrom(holes, number);
  return hole == holes.end() || number < hole->from;
}

bool Checkpoint::HasAllOf(const Checkpoint& other) const {
  if (other.position > position) return false;
  return std::all_of(holes.begin(), holes.end(), [&](const Hole& hole) {
    const std::int64_t to = std::min(hole.to, other.position);  // beyond it, the other has nothing
    if (hole.from > to) return true;
    const auto open = FirstHoleFrom(other.holes, hole.from);
    return open != other.holes.end() && open->from <= hole.from && to <= open->to;
  });
}

std::string Checkpoint::HolesText() const {
  std::string text;
  for (const Hole& hole : holes) {
    if (!text.empty()) text += ',';
    text.append(std::to_string(hole.from)).append("-").append(std::to_string(hole.to));
  }
  return text;
}

Checkpoint Checkpoint::Parse(std::int64_t position, std::string_view text) {
  Checkpoint checkpoint;
  checkpoint.position = position;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    const std::string_view piece = rest.substr(0, comma);
    const std::size_t dash = piece.find('-', 1);
    if (dash == std::string_view::npos) Refuse(text);
    const Hole hole{Number(piece.substr(0, dash), text), Number(piece.substr(dash + 1), text)};
    const std::int64_t above = checkpoint.holes.empty() ? 0 : checkpoint.holes.back().to;
    if (hole.from > hole.to || hole.from <= above || hole.to > position) Refuse(text);
    checkpoint.holes.push_back(hole);
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
    if (comma != std::string_view::npos && rest.empty()) Refuse(text);
  }
  return checkpoint;
}

}  // namespace summa::ledger
