// Text of a double as Double.toString of Java 17 prints it.
//
// Spark re-serialises a float that stands where a string is wanted, so this text is part of the result.
// Java up to 18 does *not* print the shortest text that reads back (2e23 prints as
// 1.9999999999999998E23); the digit loop follows the published free-format algorithm (Steele & White
// 1990, Dragon4) with Java's own stopping rules. Two quirks are Java's and deliberate here: the upper
// stopping test is strict while the numbers fit 32 or 64 bits and not strict beyond, and scaled
// half-ulps wrap round in those widths.
#pragma once

#include <string>

namespace pbf::decode {

// Appends NaN, Infinity, -Infinity, or a decimal text such as 0.001 or 1.0E7.
void append_java_double(double value, std::string& out);

}  // namespace pbf::decode
