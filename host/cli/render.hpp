// A JSON result as people read it: scalars as "key: value", arrays of objects as aligned tables,
// "-" for null. Control characters are escaped: what a database holds must not drive a terminal.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace summa::host {

// Several lines, each ended by a line break; a text that is not one JSON object is returned as it
// is.
std::string RenderJson(std::string_view json_object);

// Rows of a stream, aligned with what came before; a header when the keys change.
class RowRenderer {
 public:
  std::string Render(std::string_view json_object);

 private:
  std::vector<std::string> keys_;
  std::vector<std::size_t> widths_;
};

// The members of an object without its braces; empty for {} and for what is no object.
std::string ObjectMembers(std::string_view json_object);

}  // namespace summa::host
