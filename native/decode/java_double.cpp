#include "decode/java_double.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "decode/big_natural.hpp"

namespace pbf::decode {
namespace {

constexpr int kFractionBits = 52;
constexpr std::uint64_t kFractionMask = (std::uint64_t{1} << kFractionBits) - 1;
constexpr std::uint64_t kHiddenBit = std::uint64_t{1} << kFractionBits;
constexpr int kExponentBias = 1023;
constexpr int kMaxPlainIntegerExponent = 62;

struct Digits {
    std::array<std::uint8_t, 24> digit{};
    int count = 0;
    int exponent = 0;  // of the first digit

    void add(int next) noexcept { digit[static_cast<std::size_t>(count++)] = static_cast<std::uint8_t>(next); }

    // Adds one to the last digit.
    void round_up() noexcept {
        int place = count - 1;
        while (place > 0 && digit[static_cast<std::size_t>(place)] == 9) {
            digit[static_cast<std::size_t>(place--)] = 0;
        }
        std::uint8_t& rounded = digit[static_cast<std::size_t>(place)];
        if (rounded == 9) {
            rounded = 1;
            ++exponent;
        } else {
            ++rounded;
        }
    }
};

// A digit, and whether the rest lies within half an ulp of the lower or the upper end.
struct Step {
    int digit;
    bool low;
    bool high;
};

// value = b / s * 10^exponent; m is half an ulp on the scale of b. Java's int or long, which wraps.
template <typename Signed>
struct Narrow {
    std::int64_t b;
    std::int64_t s;
    Signed m;

    static Signed wrapped(std::uint64_t value) noexcept {
        return static_cast<Signed>(static_cast<std::make_unsigned_t<Signed>>(value));
    }
    Step next() noexcept {
        const auto digit = static_cast<int>(b / s);
        b = 10 * (b % s);
        m = wrapped(static_cast<std::uint64_t>(m) * 10);
        if (m <= 0) {  // wrapped round: certainly beyond both ends
            return {digit, true, true};
        }
        const Signed upper = wrapped(static_cast<std::uint64_t>(b) + static_cast<std::uint64_t>(m));
        return {digit, b < m, upper > 10 * s};
    }
    bool rounds_up(int last) const noexcept {
        const std::int64_t rest = b - 5 * s;
        return rest > 0 || (rest == 0 && last % 2 == 1);
    }
};

struct Wide {
    BigNatural b;
    BigNatural s;
    BigNatural ten_s;
    BigNatural m;

    Step next() noexcept {
        int digit = 0;
        for (; b >= s; ++digit) {
            b.subtract(s);
        }
        b.multiply(10);
        m.multiply(10);
        BigNatural upper = b;
        upper.add(m);
        return {digit, b < m, upper >= ten_s};
    }
    bool rounds_up(int last) const noexcept {
        BigNatural twice = b;
        twice.add(b);
        return twice > ten_s || (twice == ten_s && last % 2 == 1);
    }
};

template <typename Scaled>
Digits digits_of(Scaled scaled, int exponent) noexcept {
    Digits digits;
    Step step = scaled.next();
    if (step.digit == 0 && !step.high) {
        --exponent;  // the estimate was one too high
    } else {
        digits.add(step.digit);
    }
    if (exponent < -3 || exponent >= 8) {
        step.low = step.high = false;  // the E notation shows at least one digit after the point
    }
    while (!step.low && !step.high) {
        step = scaled.next();
        digits.add(step.digit);
    }
    digits.exponent = exponent;
    if (step.high &&
        (!step.low || scaled.rounds_up(digits.digit[static_cast<std::size_t>(digits.count - 1)]))) {
        digits.round_up();
    }
    return digits;
}

// Bits of 5^n as Java tabulates them; beyond its table Java reckons with 3 bits per power.
int bits_of_5_pow(int power) noexcept {
    constexpr int kTabulated = 27;
    if (power >= kTabulated) {
        return power * 3;
    }
    std::uint64_t value = 1;
    for (int count = 0; count < power; ++count) {
        value *= 5;
    }
    return power == 0 ? 0 : static_cast<int>(std::bit_width(value));
}

std::uint64_t scaled(std::uint64_t value, int power_of_5, int power_of_2) noexcept {
    for (int count = 0; count < power_of_5; ++count) {
        value *= 5;
    }
    return value << power_of_2;
}

BigNatural wide(std::uint64_t value, int power_of_5, int power_of_2) noexcept {
    BigNatural number(value);
    number.multiply_by_power_of_5(power_of_5);
    number.shift_left(power_of_2);
    return number;
}

Digits integer_digits(int exponent, std::uint64_t fraction, int significant_bits) noexcept {
    // Decimal digits below the last bit of an integer that was shifted left by the index.
    constexpr std::array<int, 10> kInsignificant = {0, 0, 0, 0, 1, 1, 1, 2, 2, 2};
    const int shift = exponent - significant_bits - 1;
    const int insignificant = shift > 1 ? kInsignificant[static_cast<std::size_t>(shift)] : 0;
    std::uint64_t value = exponent >= kFractionBits ? fraction << (exponent - kFractionBits)
                                                    : fraction >> (kFractionBits - exponent);
    if (insignificant > 0) {
        const std::uint64_t power = insignificant == 1 ? 10 : 100;
        const std::uint64_t rest = value % power;
        value = value / power + (rest >= power / 2 ? 1 : 0);
    }
    Digits digits;
    for (; value > 0; value /= 10) {
        digits.add(static_cast<int>(value % 10));
    }
    std::reverse(digits.digit.begin(), digits.digit.begin() + digits.count);
    digits.exponent = digits.count + insignificant - 1;
    while (digits.digit[static_cast<std::size_t>(digits.count - 1)] == 0) {
        --digits.count;
    }
    return digits;
}

int estimated_exponent(std::uint64_t fraction, int exponent) noexcept {
    constexpr std::uint64_t kOneBits = std::uint64_t{kExponentBias} << kFractionBits;
    const auto leading = std::bit_cast<double>(kOneBits | (fraction & kFractionMask));
    const double estimate =
        (leading - 1.5) * 0.289529654 + 0.176091259 + exponent * 0.301029995663981;
    return static_cast<int>(std::floor(estimate));
}

// `exponent` is that of the leading bit; `fraction` has 53 bits, the leading one set, of which
// `significant_bits` count (fewer for subnormal numbers).
Digits digits_of(int exponent, std::uint64_t fraction, int significant_bits) noexcept {
    const int tail_zeros = std::countr_zero(fraction);
    const int fraction_bits = kFractionBits + 1 - tail_zeros;
    const int tiny_bits = std::max(0, fraction_bits - exponent - 1);
    if (tiny_bits == 0 && exponent <= kMaxPlainIntegerExponent) {
        return integer_digits(exponent, fraction, significant_bits);
    }
    const int decimal = estimated_exponent(fraction, exponent);
    const int b_pow5 = std::max(0, -decimal);
    const int s_pow5 = std::max(0, decimal);
    int b_pow2 = b_pow5 + tiny_bits + exponent;
    int s_pow2 = s_pow5 + tiny_bits;
    int m_pow2 = b_pow2 - significant_bits;
    fraction >>= tail_zeros;
    b_pow2 -= fraction_bits - 1;
    const int common = std::min(b_pow2, s_pow2);
    b_pow2 -= common;
    s_pow2 -= common;
    m_pow2 -= common;
    if (fraction_bits == 1) {
        --m_pow2;  // the neighbour below a power of two is half as far away
    }
    if (m_pow2 < 0) {
        b_pow2 -= m_pow2;
        s_pow2 -= m_pow2;
        m_pow2 = 0;
    }
    const int b_bits = fraction_bits + b_pow2 + bits_of_5_pow(b_pow5);
    const int ten_s_bits = s_pow2 + 1 + bits_of_5_pow(s_pow5 + 1);
    if (b_bits < 64 && ten_s_bits < 64) {
        const auto b = static_cast<std::int64_t>(scaled(fraction, b_pow5, b_pow2));
        const auto s = static_cast<std::int64_t>(scaled(1, s_pow5, s_pow2));
        const std::uint64_t m = scaled(1, b_pow5, m_pow2);
        if (b_bits < 32 && ten_s_bits < 32) {
            return digits_of(Narrow<std::int32_t>{b, s, static_cast<std::int32_t>(m)}, decimal);
        }
        return digits_of(Narrow<std::int64_t>{b, s, static_cast<std::int64_t>(m)}, decimal);
    }
    Wide scaled_number{wide(fraction, b_pow5, b_pow2), wide(1, s_pow5, s_pow2), wide(10, s_pow5, s_pow2),
                       wide(1, b_pow5, m_pow2)};
    return digits_of(scaled_number, decimal);
}

// Java's notation.
void append(const Digits& digits, std::string& out) {
    const int point = digits.exponent + 1;  // how many digits stand before it
    const auto put = [&](int first, int last) {
        for (int place = first; place < last; ++place) {
            out += place < digits.count ? static_cast<char>('0' + digits.digit[static_cast<std::size_t>(place)])
                                        : '0';
        }
    };
    if (point > 0 && point < 8) {
        put(0, point);
        out += '.';
        put(point, std::max(digits.count, point + 1));
    } else if (point > -3 && point <= 0) {
        out += "0.";
        out.append(static_cast<std::size_t>(-point), '0');
        put(0, digits.count);
    } else {
        put(0, 1);
        out += '.';
        put(1, std::max(digits.count, 2));
        out += 'E';
        out += std::to_string(point - 1);
    }
}

}  // namespace

void append_java_double(double value, std::string& out) {
    if (std::isnan(value)) {
        out += "NaN";
        return;
    }
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bits >> 63 != 0) {
        out += '-';
    }
    if (std::isinf(value)) {
        out += "Infinity";
        return;
    }
    std::uint64_t fraction = bits & kFractionMask;
    int significant_bits = kFractionBits + 1;
    int exponent = static_cast<int>(bits >> kFractionBits & 0x7FF) - kExponentBias;
    if (exponent > -kExponentBias) {
        fraction |= kHiddenBit;
    } else if (fraction == 0) {
        out += "0.0";
        return;
    } else {
        significant_bits = static_cast<int>(std::bit_width(fraction));
        const int shift = kFractionBits + 1 - significant_bits;
        fraction <<= shift;
        exponent = 1 - shift - kExponentBias;
    }
    append(digits_of(exponent, fraction, significant_bits), out);
}

}  // namespace pbf::decode
