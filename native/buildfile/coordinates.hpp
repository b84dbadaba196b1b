// Interleaved x, y of a file to columns in millimetres: the loop where most bytes of a file go.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/byte_reader.hpp"

namespace pbf::buildfile {

// A value of a file in millimetres: the product is rounded once.
template <typename T>
inline float in_mm(T value, double unit_mm) noexcept {
    return static_cast<float>(static_cast<double>(value) * unit_mm);
}

inline bool not_finite(float value) noexcept {
    return (std::bit_cast<std::uint32_t>(value) & 0x7F800000U) == 0x7F800000U;
}

// Item number of the first value of [0, count) that is not finite in millimetres, or `count`.
template <typename T>
std::size_t first_not_finite(const std::uint8_t* from, std::size_t count, double unit_mm) noexcept {
    for (std::size_t item = 0; item < count; ++item) {
        if (not_finite(in_mm(load<T>(from, item), unit_mm))) {
            return item;
        }
    }
    return count;
}

// Writes `points` pairs of packed T, at any alignment, to x and y; false if one may not be finite.
template <typename T>
bool points_to_mm(const std::uint8_t* from, std::size_t points, double unit_mm, float* x,
                  float* y) noexcept {
    if constexpr (std::is_integral_v<T>) {
        // A pair is a word of 32 bits: taken as one, the loop becomes vector instructions. Whether all are
        // finite is asked of the largest value there can be.
        static_assert(sizeof(T) == 2);
        for (std::size_t point = 0; point < points; ++point) {
            const auto pair = load<std::uint32_t>(from, point);
            x[point] = in_mm(std::int32_t{static_cast<T>(pair & 0xFFFFU)}, unit_mm);
            y[point] = in_mm(std::int32_t{static_cast<T>(pair >> 16)}, unit_mm);
        }
        return points == 0 || !not_finite(in_mm(std::int32_t{65535}, unit_mm));
    }
    unsigned wrong = 0;  // no branch in the loops: they become vector instructions
    if (std::is_same_v<T, float> && unit_mm == 1.0) {
        for (std::size_t point = 0; point < points; ++point) {
            x[point] = load<T>(from, 2 * point);
            y[point] = load<T>(from, 2 * point + 1);
            wrong |= unsigned{not_finite(x[point])} | unsigned{not_finite(y[point])};
        }
    } else {
        for (std::size_t point = 0; point < points; ++point) {
            x[point] = in_mm(load<T>(from, 2 * point), unit_mm);
            y[point] = in_mm(load<T>(from, 2 * point + 1), unit_mm);
            wrong |= unsigned{not_finite(x[point])} | unsigned{not_finite(y[point])};
        }
    }
    return wrong == 0;
}

// As points_to_mm, but throws bad_number at the first value that is not finite; `from` lies at
// `offset` in the file.
template <typename T>
void read_points(Bytes from, std::uint64_t offset, double unit_mm, float* x, float* y) {
    const std::size_t values = from.size() / sizeof(T);
    if (!points_to_mm<T>(from.data(), values / 2, unit_mm, x, y)) {
        const std::size_t item = first_not_finite<T>(from.data(), values, unit_mm);
        if (item == values) {
            return;  // only larger values would not be
        }
        throw FormatError(ErrorCode::bad_number, offset + item * sizeof(T),
                          "a coordinate is not a finite number");
    }
}

}  // namespace pbf::buildfile
