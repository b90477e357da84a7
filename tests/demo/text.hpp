// Small forms of numbers for people.
#pragma once

#include <cstddef>
#include <string>

namespace summa::demo {

// 14812 -> "14,812".
std::string Grouped(long long number);
// 1.94 -> "1.9", 210.4 -> "210".
std::string Decimal(double number);
// Blanks before or after, up to `width`.
std::string Right(const std::string& text, std::size_t width);
std::string Left(const std::string& text, std::size_t width);

}  // namespace summa::demo
