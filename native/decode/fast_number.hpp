// Numbers of strict JSON, and NaN and the infinities as bare words. Each function gives the place behind
// what it read, or nullptr if that is no number that it is sure of.
#pragma once

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>

namespace pbf::decode {

inline constexpr bool is_digit(std::uint8_t unit) noexcept { return unit >= '0' && unit <= '9'; }

// Longest number that is taken; the limit of digits is far.
inline constexpr std::ptrdiff_t kMaxNumberBytes = 300;

// So many digits always fit 64 bits.
inline constexpr std::ptrdiff_t kMaxDigits = 19;

struct Number {
    std::uint64_t mantissa = 0;  // the first 19 significant digits at most
    int exponent = 0;            // of ten
    bool negative = false;
    bool integer = true;
    bool exact = true;  // mantissa * 10^exponent is the number
};

// Passes over digits and appends them to a number, which wraps around beyond 64 bits. Eight at a
// time: how many there are in a number is what branches guess worst.
inline const std::uint8_t* pass_digits(const std::uint8_t* at, const std::uint8_t* end,
                                       std::uint64_t& number) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t tops = 0x8080808080808080;
    static constexpr std::uint64_t powers[] = {1,     10,     100,     1000,    10000,
                                               100000, 1000000, 10000000, 100000000};
    while (end - at >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        word ^= ones * '0';  // digits are 0 to 9 now, all else is more
        // The lowest marked byte is right; higher ones may be marked by a carry.
        const std::uint64_t others = ((word + ones * (0x80 - 10)) | word) & tops;
        const int count = std::countr_zero(others) / 8;
        if (count == 0) {
            return at;
        }
        word <<= 64 - 8 * count;  // leading zeros in place of what is no digit
        word = (word * 10 + (word >> 8)) & 0x00FF00FF00FF00FF;
        word = (word * 100 + (word >> 16)) & 0x0000FFFF0000FFFF;
        word = (word * 10000 + (word >> 32)) & 0xFFFFFFFF;
        number = number * powers[count] + word;
        at += count;
        if (count < 8) {
            return at;
        }
    }
    for (; at != end && is_digit(*at); ++at) {
        number = number * 10 + (*at - '0');
    }
    return at;
}

// The same number from more digits than fit: from its first digit to the last, a point among them.
inline void shorten_digits(const std::uint8_t* at, const std::uint8_t* end, std::uint64_t& mantissa,
                           int& exponent, bool& exact) noexcept {
    int digits = 0;  // significant ones
    bool fraction = false;
    mantissa = 0;
    exponent = 0;
    for (; at != end; ++at) {
        if (*at == '.') {
            fraction = true;
        } else if (digits < kMaxDigits) {
            mantissa = mantissa * 10 + (*at - '0');
            digits += mantissa != 0;
            exponent -= fraction;
        } else {
            exact = exact && *at == '0';
            exponent += !fraction;
        }
    }
}

// Takes a number apart: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
inline const std::uint8_t* scan_number(const std::uint8_t* first, const std::uint8_t* end,
                                       Number& out) noexcept {
    const std::uint8_t* here = first;
    if (here != end && *here == '-') {
        out.negative = true;
        ++here;
    }
    const std::uint8_t* const digits = here;
    std::uint64_t mantissa = 0;
    int exponent = 0;
    here = pass_digits(here, end, mantissa);
    std::ptrdiff_t count = here - digits;
    if (count == 0 || (*digits == '0' && count > 1)) {
        return nullptr;
    }
    if (here != end && *here == '.') {
        out.integer = false;
        const std::uint8_t* const fraction = ++here;
        here = pass_digits(here, end, mantissa);
        if (here == fraction) {
            return nullptr;
        }
        exponent = -static_cast<int>(here - fraction);
        count += here - fraction;
    }
    if (count > kMaxDigits) {
        shorten_digits(digits, here, mantissa, exponent, out.exact);
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
            return nullptr;
        }
        exponent += down ? -value : value;
    }
    if (here - first > kMaxNumberBytes) {
        return nullptr;
    }
    out.mantissa = mantissa;
    out.exponent = exponent;
    return here;
}

// The literals that stand for a number that is not finite.
template <typename T>
const std::uint8_t* read_not_finite(const std::uint8_t* at, const std::uint8_t* end, T& out) noexcept {
    const auto is = [&](const char* word, std::ptrdiff_t size) {
        return end - at >= size && std::memcmp(at, word, static_cast<std::size_t>(size)) == 0;
    };
    if (is("NaN", 3)) {
        out = std::numeric_limits<T>::quiet_NaN();
        return at + 3;
    }
    if (is("Infinity", 8)) {
        out = std::numeric_limits<T>::infinity();
        return at + 8;
    }
    if (is("-Infinity", 9)) {
        out = -std::numeric_limits<T>::infinity();
        return at + 9;
    }
    return nullptr;
}

template <typename T>
const std::uint8_t* convert_slowly(const std::uint8_t* first, const std::uint8_t* last, T& out) noexcept {
    const char* const end = reinterpret_cast<const char*>(last);
    const auto [behind, error] = std::from_chars(reinterpret_cast<const char*>(first), end, out);
    return error == std::errc{} && behind == end ? last : nullptr;  // out of range: not for here
}

inline const std::uint8_t* read_double(const std::uint8_t* at, const std::uint8_t* end,
                                       double& out) noexcept {
    static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    Number number;
    const std::uint8_t* const behind = scan_number(at, end, number);
    if (behind == nullptr) {
        return read_not_finite(at, end, out);
    }
    // Clinger's fast path: both factors are exact doubles, so one rounding gives the nearest one.
    if (number.exact && number.mantissa <= (std::uint64_t{1} << 53) && number.exponent >= -22 &&
        number.exponent <= 22) {
        const auto mantissa = static_cast<double>(number.mantissa);
        const double value = number.exponent < 0 ? mantissa / powers[-number.exponent]
                                                 : mantissa * powers[number.exponent];
        // An integer has no negative zero: -0 is 0, -0.0 is not.
        out = number.negative && !(number.integer && number.mantissa == 0) ? -value : value;
        return behind;
    }
    return convert_slowly(at, behind, out);
}

inline const std::uint8_t* read_float(const std::uint8_t* at, const std::uint8_t* end,
                                      float& out) noexcept {
    Number number;
    const std::uint8_t* const behind = scan_number(at, end, number);
    if (behind == nullptr) {
        return read_not_finite(at, end, out);
    }
    if (number.integer && number.mantissa == 0) {
        out = 0;
        return behind;
    }
    return convert_slowly(at, behind, out);  // from the digits: rounded once
}

inline const std::uint8_t* read_integer(const std::uint8_t* at, const std::uint8_t* end,
                                        std::int64_t& out) noexcept {
    Number number;
    const std::uint8_t* const behind = scan_number(at, end, number);
    if (behind == nullptr || !number.integer || !number.exact || number.exponent != 0 ||
        number.mantissa > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return nullptr;
    }
    out = static_cast<std::int64_t>(number.mantissa);
    if (number.negative) {
        out = -out;
    }
    return behind;
}

}  // namespace pbf::decode
