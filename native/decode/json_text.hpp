// Compact JSON text of a value: what Spark makes of anything that stands where a string is wanted.
//
// The text is Jackson's: floats are printed as Java doubles, NaN and infinities in quotes, characters
// beyond U+FFFF as two hexadecimal escapes.
#pragma once

#include <string>

#include "decode/tokenizer.hpp"

namespace pbf::decode {

// The double that the text of a finite number token means: to the nearest, infinite beyond the largest.
double double_of(std::u16string_view number);
// The 32-bit float, rounded once: from the digits.
float float_of(std::u16string_view number);

// Text of the value that begins at the current token (any but a name), which is read to its end.
// False if it is not well formed, or no value begins here.
bool copy_value(Tokenizer& tokens, std::string& out);

}  // namespace pbf::decode
