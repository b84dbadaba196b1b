#include "core/decimal.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace pbf {

double parse_decimal_slowly(const char* first, const char* last) noexcept {
    const bool negative = *first == '-';
    if (*first == '-' || *first == '+') {
        ++first;  // from_chars knows no plus
    }
    double size = 0;
    const std::from_chars_result result = std::from_chars(first, last, size);
    if (result.ec == std::errc::result_out_of_range) {
        // Which way out of range: by the place of the first digit that is not 0.
        const char* const exponent = std::find_if(
            first, last, [](char letter) { return letter == 'e' || letter == 'E'; });
        const char* const point = std::find(first, exponent, '.');
        const char* const leading = std::find_if(
            first, exponent, [](char letter) { return letter >= '1' && letter <= '9'; });
        const std::ptrdiff_t place = leading < point ? point - leading : point - leading + 1;
        bool down = exponent != last && exponent[1] == '-';
        long long power = 0;
        if (exponent != last) {
            const char* digits = exponent + (is_digit(exponent[1]) ? 1 : 2);
            const auto read = std::from_chars(digits, last, power);
            // No text is long enough to make up for such a power: its sign says which way.
            constexpr long long kDecides = std::numeric_limits<long long>::max() / 2;
            if (read.ec == std::errc{} && power < kDecides) {
                down = static_cast<long long>(place) + (down ? -power : power) < 0;
            }
        } else {
            down = place < 0;
        }
        size = down ? 0.0 : std::numeric_limits<double>::infinity();
    }
    return negative ? -size : size;
}

}  // namespace pbf
