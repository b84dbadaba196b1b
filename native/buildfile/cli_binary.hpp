// The commands of binary CLI geometry, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "buildfile/model.hpp"
#include "core/byte_reader.hpp"

namespace pbf::buildfile::cli {

enum class Opcode : std::uint16_t {
    layer_long = 127,
    layer_short = 128,
    polyline_short = 129,
    polyline_long = 130,
    hatches_short = 131,
    hatches_long = 132,
};

struct Command {
    Opcode opcode{};
    std::size_t offset = 0;  // of its first byte
    double z = 0;            // of a layer, in units of the file
    std::int32_t id = 0;     // of a geometry
    Bytes coordinates;       // of a geometry: x, y, x, y, ...
    std::size_t coordinates_offset = 0;

    bool is_layer() const noexcept {
        return opcode == Opcode::layer_long || opcode == Opcode::layer_short;
    }
    bool is_short() const noexcept {
        return opcode == Opcode::polyline_short || opcode == Opcode::hatches_short;
    }
    Kind kind() const noexcept {
        return opcode == Opcode::polyline_short || opcode == Opcode::polyline_long ? Kind::contour
                                                                                   : Kind::hatch;
    }
    std::size_t points() const noexcept { return coordinates.size() / (is_short() ? 4 : 8); }
};

// Reads the command at the position of `reader` and moves behind it. With $$ALIGN, the opcode and each
// number begin at four bytes; a pair of short coordinates is four bytes with and without it.
Command read_command(ByteReader& reader, bool align);

// Whether only what is no command is left: nothing, blanks and zeroes, or "$$GEOMETRYEND".
bool is_end(Bytes rest) noexcept;

}  // namespace pbf::buildfile::cli
