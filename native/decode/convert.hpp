// Tokens to values: what Spark's converters make of each JSON value.
//
// A field whose value cannot be converted is null and makes the row *partial*; reading goes on where the
// tokenizer stands then. Only where that leads nowhere is the record void.
#pragma once

#include "decode/exact_row.hpp"
#include "decode/tokenizer.hpp"
#include "decode/wanted.hpp"

namespace pbf::decode {

enum class Converted : std::uint8_t {
    whole,
    partial,  // all was read, a field could not be converted
    failed,   // reading cannot go on, or (of a field) the value is of another type
};

// Reads the object that has just begun into an empty row.
Converted convert_object(Tokenizer& tokens, const Wanted& wanted, ExactRow& row);

}  // namespace pbf::decode
