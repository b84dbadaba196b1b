#include "core/shortest.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace pbf {

std::string shortest_text(double value) {
    std::array<char, 32> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return {text.data(), end};
}

double shortest_value(float value) noexcept {
    if (!std::isfinite(value)) {
        return static_cast<double>(value);
    }
    // Scientific: the plain form of a large number has all of its digits, not the fewest.
    std::array<char, 32> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                   std::chars_format::scientific)
                         .ptr;
    double decimal = 0.0;
    std::from_chars(text.data(), end, decimal);
    return decimal;
}

}  // namespace pbf
