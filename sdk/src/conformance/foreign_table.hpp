// A struct that a plugin gives: whether it is what its struct_size says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace summa::conformance {

struct TableProblem {
  std::string text;       // empty: there is none
  bool unusable = false;  // it must not be used
};

// Of the table of an extension or service of the project; others are only asked for their size.
TableProblem ProblemOfTable(std::string_view id, const void* table);

// What stands between the `known` bytes and struct_size: zeroes, small numbers and addresses of
// loaded code are what a later header may add. Empty: nothing is wrong.
std::string ProblemBehind(const void* table, std::uint32_t known);

}  // namespace summa::conformance
