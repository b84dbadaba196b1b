// What is wrong with a record. Text is made only for those that are told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pbf::decode {

// The codes of pbf_ray.decode.REASONS, and `field`: one field cannot be converted, the record stands.
enum class Reason : std::uint8_t {
    none,
    null_value,
    blank,
    not_an_object,
    syntax,
    truncated,
    too_deep,
    number_too_long,
    name_too_long,
    string_too_long,
    unstorable,
    field,
};

// "null_value", "blank", ...
std::string_view name_of(Reason reason) noexcept;

struct Problem {
    Reason reason = Reason::none;
    const char* what = "";
    std::u16string_view seen;  // units of the record that the text shows, if any
    bool is_token = false;     // shown as a token; else as what was found
    std::size_t position = 0;  // of the UTF-16 unit at which reading stopped
};

// "unknown token 'tru'", "value expected, found '}'".
std::string described(const Problem& problem);

}  // namespace pbf::decode
