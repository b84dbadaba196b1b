#include "decode/numbers.hpp"

#include <limits>

namespace pbf::decode {

bool NumberScanner::unsigned_number(Unit first) noexcept {
    const std::size_t start = position_ - 1;
    return first == '0' ? number_with_edges(start, false) : number_inside(start, position_, false);
}

bool NumberScanner::negative_number() noexcept {
    const std::size_t start = position_ - 1;
    if (position_ >= limit_) {
        return number_with_edges(start, true);
    }
    const Unit unit = units_[position_];
    if (is_digit_unit(unit)) {
        return unit == '0' ? number_with_edges(start, true) : number_inside(start, position_ + 1, true);
    }
    ++position_;
    return unit == '.' ? unexpected_value(unit) : odd_number(unit, true);
}

bool NumberScanner::odd_number(Unit unit, bool negative) noexcept {
    if (unit == 'I') {
        unit = next_unit("unfinished number");
        if (unit == kFailed) {
            return false;
        }
        if (unit == 'N' || unit == 'n') {
            const std::string_view word = unit == 'N' ? (negative ? "-INF" : "+INF")
                                                      : (negative ? "-Infinity" : "+Infinity");
            constexpr double infinity = std::numeric_limits<double>::infinity();
            return literal(word, 3) && not_finite(negative ? -infinity : infinity);
        }
    }
    return fail_at_unit(negative ? "digit expected after -" : "digit expected after +");
}

bool NumberScanner::not_finite(double value) noexcept {
    number_ = {.text = {}, .is_integer = false, .is_finite = false, .not_finite = value};
    return true;
}

// The common reader: the number ends before the chunk does.
bool NumberScanner::number_inside(std::size_t start, std::size_t rest, bool negative) noexcept {
    const auto is_exponent = [&](std::size_t place) { return (units_[place] | 0x20) == u'e'; };
    std::size_t end = digits_end(rest);
    std::size_t digits = end - (start + (negative ? 1 : 0));
    if (end < limit_ && units_[end] != u'.' && !is_exponent(end)) {
        return finish(start, end, static_cast<std::ptrdiff_t>(digits), true);
    }
    if (end < limit_) {
        position_ = end + 1;
        if (units_[end] == u'.') {
            const std::size_t fraction = end + 1;
            end = digits_end(fraction);
            digits += end - fraction;
            if (end < limit_ && end == fraction) {
                return fail("digit expected after the decimal point");
            }
        }
        if (end < limit_ && is_exponent(end)) {
            ++end;
            if (end < limit_ && (units_[end] == u'+' || units_[end] == u'-')) {
                ++end;
            }
            const std::size_t exponent = end;
            end = digits_end(exponent);
            digits += end - exponent;
            if (end < limit_ && end == exponent) {
                return fail("digit expected in the exponent");
            }
        }
        if (end < limit_) {
            return finish(start, end, static_cast<std::ptrdiff_t>(digits), false);
        }
    }
    return number_with_edges(start, negative);
}

// The careful reader: leading zeros, and numbers that touch the end of the chunk.
bool NumberScanner::number_with_edges(std::size_t start, bool negative) noexcept {
    position_ = start + (negative ? 1 : 0);
    Unit unit = next_unit("digit expected after -");
    if (unit == kFailed) {
        return false;
    }
    if (unit == '0' && has_unit() && is_digit_unit(units_[position_])) {
        return fail("leading zeros are not allowed");
    }
    // A part that is absent counts -1 against the limit here, 0 in the common reader.
    const std::ptrdiff_t integer_digits = digits_from(unit);
    std::ptrdiff_t fraction_digits = -1;
    std::ptrdiff_t exponent_digits = -1;
    if (integer_digits == 0) {
        return odd_number(unit, negative);
    }
    if (unit == '.') {
        unit = unit_or_end();
        fraction_digits = digits_from(unit);
        if (fraction_digits == 0) {
            return fail("digit expected after the decimal point");
        }
    }
    if (unit == 'e' || unit == 'E') {
        unit = next_unit("digit expected in the exponent");
        if (unit == '+' || unit == '-') {
            unit = next_unit("digit expected in the exponent");
        }
        if (unit == kFailed) {
            return false;
        }
        exponent_digits = digits_from(unit);
        if (exponent_digits == 0) {
            return fail("digit expected in the exponent");
        }
    }
    const bool integer = fraction_digits < 0 && exponent_digits < 0;
    const std::size_t end = unit == kEndOfText ? position_ : position_ - 1;
    return finish(start, end,
                  integer ? integer_digits : integer_digits + fraction_digits + exponent_digits, integer);
}

// Counts digits from `unit` on, which becomes the first unit that is none.
std::ptrdiff_t NumberScanner::digits_from(Unit& unit) noexcept {
    std::ptrdiff_t count = 0;
    while (is_digit_unit(unit)) {
        ++count;
        unit = unit_or_end();
    }
    return count;
}

std::size_t NumberScanner::digits_end(std::size_t start) const noexcept {
    std::size_t end = start;
    while (end < limit_ && is_digit_unit(units_[end])) {
        ++end;
    }
    return end;
}

bool NumberScanner::finish(std::size_t start, std::size_t end, std::ptrdiff_t digits,
                           bool integer) noexcept {
    position_ = end;
    if (digits > kMaxNumberDigits) {
        return fail("number is too long", Reason::number_too_long);
    }
    number_ = {.text = units_.substr(start, end - start),
               .is_integer = integer,
               .is_finite = true,
               .not_finite = 0};
    return true;
}

}  // namespace pbf::decode
