// UTF-16LE, as Windows programs leave it in files, to UTF-8 and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/byte_reader.hpp"

namespace pbf {

struct Utf8Text {
    std::string text;
    bool sound = true;  // false: half a surrogate pair (now U+FFFD), or half a code unit (left out)
};

// One NUL at the end, which such strings end with, is left out.
Utf8Text utf8_from_utf16(Bytes bytes);

// With a NUL at the end. What is not UTF-8 becomes U+FFFD.
std::vector<std::uint8_t> utf16_from_utf8(std::string_view text);

}  // namespace pbf
