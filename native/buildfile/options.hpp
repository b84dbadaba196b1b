// Options of writers, which come as text.
#pragma once

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "buildfile/writer.hpp"

namespace pbf::buildfile {

// A positive number, or not_representable.
inline double positive_option(std::string_view name, std::string_view text) {
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
        value <= 0.0) {
        throw FormatError(ErrorCode::unsupported, 0,
                          "the option " + std::string(name) + " is '" + std::string(text) +
                              "', and has to be a number above 0");
    }
    return value;
}

[[noreturn]] inline void unknown_option(std::string_view format, std::string_view name) {
    throw FormatError(ErrorCode::unsupported, 0,
                      "writing " + std::string(format) + " has no option '" + std::string(name) + "'");
}

}  // namespace pbf::buildfile
