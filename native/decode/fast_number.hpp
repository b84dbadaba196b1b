// Numbers of strict JSON, and NaN and the infinities as bare words. Each function moves `at` behind
// what it read and says whether that is a number that it is sure of.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>

namespace pbf::decode {

inline constexpr bool is_digit(std::uint8_t unit) noexcept { return unit >= '0' && unit <= '9'; }

// Longest number that is taken; the limit of digits is far.
inline constexpr std::ptrdiff_t kMaxNumberBytes = 300;

struct Number {
    std::uint64_t mantissa = 0;  // the first 19 significant digits at most
    int exponent = 0;            // of ten
    bool negative = false;
    bool integer = true;
    bool exact = true;  // mantissa * 10^exponent is the number
};

// Takes a number apart: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
inline bool scan_number(const std::uint8_t*& at, const std::uint8_t* end, Number& out) noexcept {
    const std::uint8_t* const first = at;
    const std::uint8_t* here = at;
    if (here != end && *here == '-') {
        out.negative = true;
        ++here;
    }
    if (here == end || !is_digit(*here)) {
        return false;
    }
    if (*here == '0' && end - here > 1 && is_digit(here[1])) {
        return false;
    }
    int digits = 0;  // significant ones
    std::uint64_t mantissa = 0;
    int exponent = 0;
    const auto take = [&](std::uint8_t unit, bool fraction) {
        if (digits < 19) {
            mantissa = mantissa * 10 + (unit - '0');
            digits += mantissa != 0;
            exponent -= fraction;
        } else {
            out.exact = out.exact && unit == '0';
            exponent += !fraction;
        }
    };
    for (; here != end && is_digit(*here); ++here) {
        take(*here, false);
    }
    if (here != end && *here == '.') {
        out.integer = false;
        const std::uint8_t* const fraction = ++here;
        for (; here != end && is_digit(*here); ++here) {
            take(*here, true);
        }
        if (here == fraction) {
            return false;
        }
    }
    if (here != end && (*here | 0x20) == 'e') {
        out.integer = false;
        ++here;
        bool down = false;
        if (here != end && (*here == '+' || *here == '-')) {
            down = *here == '-';
            ++here;
        }
        const std::uint8_t* const power = here;
        int value = 0;
        for (; here != end && is_digit(*here); ++here) {
            value = value > 9999 ? value : value * 10 + (*here - '0');
        }
        if (here == power) {
            return false;
        }
        exponent += down ? -value : value;
    }
    if (here - first > kMaxNumberBytes) {
        return false;
    }
    out.mantissa = mantissa;
    out.exponent = exponent;
    at = here;
    return true;
}

// The literals that stand for a number that is not finite.
inline bool read_not_finite(const std::uint8_t*& at, const std::uint8_t* end, double& out) noexcept {
    const auto is = [&](const char* word, std::ptrdiff_t size) {
        return end - at >= size && std::memcmp(at, word, static_cast<std::size_t>(size)) == 0;
    };
    if (is("NaN", 3)) {
        out = std::numeric_limits<double>::quiet_NaN();
        at += 3;
        return true;
    }
    const bool negative = is("-Infinity", 9);
    if (negative || is("Infinity", 8)) {
        out = negative ? -std::numeric_limits<double>::infinity()
                       : std::numeric_limits<double>::infinity();
        at += negative ? 9 : 8;
        return true;
    }
    return false;
}

template <typename T>
bool convert_slowly(const std::uint8_t* first, const std::uint8_t* last, T& out) noexcept {
    const char* const end = reinterpret_cast<const char*>(last);
    const auto [behind, error] = std::from_chars(reinterpret_cast<const char*>(first), end, out);
    return error == std::errc{} && behind == end;  // out of range: not for here
}

inline bool read_double(const std::uint8_t*& at, const std::uint8_t* end, double& out) noexcept {
    static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const std::uint8_t* const first = at;
    Number number;
    if (!scan_number(at, end, number)) {
        return at == first && read_not_finite(at, end, out);
    }
    // Clinger's fast path: both factors are exact doubles, so one rounding gives the nearest one.
    if (number.exact && number.mantissa <= (std::uint64_t{1} << 53) && number.exponent >= -22 &&
        number.exponent <= 22) {
        const auto mantissa = static_cast<double>(number.mantissa);
        const double value = number.exponent < 0 ? mantissa / powers[-number.exponent]
                                                 : mantissa * powers[number.exponent];
        // An integer has no negative zero: -0 is 0, -0.0 is not.
        out = number.negative && !(number.integer && number.mantissa == 0) ? -value : value;
        return true;
    }
    return convert_slowly(first, at, out);
}

inline bool read_float(const std::uint8_t*& at, const std::uint8_t* end, float& out) noexcept {
    const std::uint8_t* const first = at;
    Number number;
    if (!scan_number(at, end, number)) {
        double odd = 0;
        if (at != first || !read_not_finite(at, end, odd)) {
            return false;
        }
        out = static_cast<float>(odd);
        return true;
    }
    if (number.integer && number.mantissa == 0) {
        out = 0;
        return true;
    }
    return convert_slowly(first, at, out);  // from the digits: rounded once
}

inline bool read_integer(const std::uint8_t*& at, const std::uint8_t* end, std::int64_t& out) noexcept {
    Number number;
    if (!scan_number(at, end, number) || !number.integer || !number.exact || number.exponent != 0 ||
        number.mantissa > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return false;
    }
    out = static_cast<std::int64_t>(number.mantissa);
    if (number.negative) {
        out = -out;
    }
    return true;
}

}  // namespace pbf::decode
