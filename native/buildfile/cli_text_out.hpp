// Numbers and names as CLI text.
#pragma once

#include <string>
#include <string_view>

namespace pbf::buildfile::cli {

// The shortest text without an exponent that reads as this number.
void put_number(std::string& out, double value);

// The shortest text that, as a number times `unit_mm` rounded once, is this float32; false if there is
// none, and the nearest was put.
bool put_coordinate(std::string& out, float value_mm, double unit_mm);

// A number of `width` characters with six decimals, zeroes in front; empty if it does not fit.
std::string padded(double value, std::size_t width);

// Text without what would end a line, a comment, or a quotation; the same if there is nothing of it.
std::string one_line(std::string_view text);

}  // namespace pbf::buildfile::cli
