#include "buildfile/cli_text_out.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "buildfile/coordinates.hpp"
#include "core/decimal.hpp"

namespace pbf::buildfile::cli {
namespace {

// Room for the longest double without an exponent.
using Digits = std::array<char, 1100>;

template <typename T>
std::string_view text_of(Digits& digits, T value) {
    const auto result =
        std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
    return {digits.data(), static_cast<std::size_t>(result.ptr - digits.data())};
}

bool reads_as(std::string_view text, float value_mm, double unit_mm) noexcept {
    double value = 0;
    parse_decimal(text.data(), text.data() + text.size(), value);
    return in_mm(value, unit_mm) == value_mm;
}

}  // namespace

void put_number(std::string& out, double value) {
    Digits digits;
    out += text_of(digits, value);
}

bool put_coordinate(std::string& out, float value_mm, double unit_mm) {
    Digits digits;
    const double value = static_cast<double>(value_mm) / unit_mm;
    std::string_view text = text_of(digits, static_cast<float>(value));
    if (!std::isfinite(static_cast<float>(value)) || !reads_as(text, value_mm, unit_mm)) {
        text = text_of(digits, value);
        for (const double towards : {-HUGE_VAL, HUGE_VAL}) {
            if (reads_as(text, value_mm, unit_mm)) {
                break;
            }
            text = text_of(digits, std::nextafter(value, towards));
        }
    }
    out += text;
    return reads_as(text, value_mm, unit_mm);
}

std::string padded(double value, std::size_t width) {
    std::array<char, 400> digits{};
    const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), std::abs(value),
                                      std::chars_format::fixed, 6);
    const std::string_view text(digits.data(), static_cast<std::size_t>(result.ptr - digits.data()));
    const std::size_t sign = value < 0 ? 1 : 0;
    if (result.ec != std::errc{} || text.size() + sign > width) {
        return {};
    }
    std::string out(sign, '-');
    out.append(width - sign - text.size(), '0');
    return out += text;
}

std::string one_line(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        const bool doubled = (letter == '/' || letter == '$') && !out.empty() && out.back() == letter;
        if (doubled) {
            out += ' ';
        }
        out += static_cast<unsigned char>(letter) < ' ' || letter == '"' ? ' ' : letter;
    }
    return out;
}

}  // namespace pbf::buildfile::cli
