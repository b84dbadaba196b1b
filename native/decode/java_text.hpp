// Bytes to text and text to bytes as Java does it.
//
// Spark reads a record through a Java reader: bytes that are no UTF-8 become U+FFFD by Java's own rules,
// the JSON parser then works on UTF-16 code units, and half a surrogate pair leaves as '?'.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "decode/schema.hpp"

namespace pbf::decode {

// Code units that the parser takes from its reader at a time.
inline constexpr std::size_t kReaderChunk = 4000;

inline constexpr bool is_high_surrogate(char16_t unit) noexcept { return unit >= 0xD800 && unit <= 0xDBFF; }
inline constexpr bool is_low_surrogate(char16_t unit) noexcept { return unit >= 0xDC00 && unit <= 0xDFFF; }

// UTF-8 to code units: never fails, each malformed run becomes U+FFFD.
void decode_utf8(Value value, std::u16string& units);

// The byte at which a unit begins; of the second half of a pair, the character's last byte.
std::size_t byte_offset(Value value, std::size_t unit) noexcept;

// Whether the bytes end in the middle of a character that might have been well formed.
bool ends_inside_character(Value value) noexcept;

// End of the chunk that Java's reader hands out from `start`. `unfinished`: the bytes end inside a
// character; its U+FFFD comes in a chunk of its own. One case is left out: Java also ends a chunk one
// unit early before a U+FFFD that stands for the first three bytes of a broken four-byte character.
std::size_t chunk_end(std::u16string_view units, std::size_t start, bool unfinished) noexcept;

// Appends as UTF-8: pairs become one character, half a pair '?'.
void append_utf8(std::u16string_view units, std::string& out);
void append_utf8(char16_t unit, std::string& out);  // no surrogate

// Character.isJavaIdentifierStart and -Part of Java 17 for one code unit.
bool is_identifier_start(char16_t unit) noexcept;
bool is_identifier_part(char16_t unit) noexcept;

}  // namespace pbf::decode
