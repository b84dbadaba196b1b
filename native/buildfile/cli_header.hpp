// The header of CLI files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "buildfile/model.hpp"
#include "core/byte_reader.hpp"

namespace pbf::buildfile::cli {

// What the header says about the geometry behind it.
struct Framing {
    bool binary = false;
    bool align = false;      // binary items begin at multiples of four bytes
    double unit_mm = 1;      // millimetres per unit of the file
    std::size_t geometry = 0;  // where the geometry begins
};

// Reads the header into `header`. What does not bear on the geometry and cannot be read is a warning.
Framing read_header(Bytes file, const Limits& limits, Header& header,
                    std::vector<Damage>& warnings);

// Where a further "$$GEOMETRYSTART" stands in what follows the geometry, near its end.
std::optional<std::size_t> second_geometry(Bytes behind) noexcept;

// Whether "$$HEADERSTART" stands in the first bytes; there may be anything before it.
bool has_header(Bytes file) noexcept;

}  // namespace pbf::buildfile::cli
