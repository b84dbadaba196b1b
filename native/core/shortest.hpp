// Numbers as the shortest decimal text that gives them back.
#pragma once

#include <string>

namespace pbf {

// "0.01", "1e-05", "nan": without a locale.
std::string shortest_text(double value);

// The double that the shortest decimal text of a float32 means: 0.01 for the float nearest to 0.01.
// What somebody meant who wrote a decimal number into a float32.
double shortest_value(float value) noexcept;

}  // namespace pbf
