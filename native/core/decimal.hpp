// Numbers as text: exactly what strtod of the C locale gives, most of them in a few nanoseconds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pbf {

inline bool is_digit(char letter) noexcept { return static_cast<unsigned char>(letter - '0') < 10; }

// For numbers of many digits or large exponents: [first, last) is [+-]digits[.digits][e[+-]digits].
// Too large gives infinity, too small zero, both with the sign.
double parse_decimal_slowly(const char* first, const char* last) noexcept;

// Reads [+-]digits[.digits][e[+-]digits] from the front of [at, last), with digits before or behind
// the point. Gives where it ends, or nullptr if no number is there; "nan" and "inf" are none.
inline const char* parse_decimal(const char* at, const char* last, double& value) noexcept {
    // Powers of ten that a double holds exactly: one correctly rounded operation gives the number.
    static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    constexpr std::uint64_t kExact = std::uint64_t{1} << 53;
    const char* const first = at;
    bool negative = false;
    if (at != last && (*at == '-' || *at == '+')) {
        negative = *at == '-';
        ++at;
    }
    std::uint64_t mantissa = 0;
    const char* const digits = at;
    while (at != last && is_digit(*at)) {
        mantissa = mantissa * 10 + static_cast<std::uint64_t>(*at - '0');
        ++at;
    }
    std::ptrdiff_t count = at - digits;
    std::ptrdiff_t decimals = 0;
    if (at != last && *at == '.') {
        const char* const fraction = ++at;
        while (at != last && is_digit(*at)) {
            mantissa = mantissa * 10 + static_cast<std::uint64_t>(*at - '0');
            ++at;
        }
        decimals = at - fraction;
        count += decimals;
    }
    if (count == 0) {
        return nullptr;
    }
    bool slowly = count > 19 || mantissa > kExact || decimals > 22;  // 19 digits fit 64 bits
    if (at != last && (*at == 'e' || *at == 'E')) {
        const char* exponent = at + 1;
        if (exponent != last && (*exponent == '-' || *exponent == '+')) {
            ++exponent;
        }
        if (exponent != last && is_digit(*exponent)) {
            while (exponent != last && is_digit(*exponent)) {
                ++exponent;
            }
            at = exponent;
            slowly = true;
        }
    }
    if (slowly) {
        value = parse_decimal_slowly(first, at);
        return at;
    }
    const double size = static_cast<double>(mantissa) / kPowers[decimals];
    value = negative ? -size : size;
    return at;
}

}  // namespace pbf
