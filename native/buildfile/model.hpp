// What a build file holds, whatever its format. Lengths are millimetres.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/column.hpp"
#include "core/error.hpp"

namespace pbf::buildfile {

// Stands in an id column for "the format does not say"; comes out as null. As an id it is refused.
inline constexpr std::int32_t kNoId = std::numeric_limits<std::int32_t>::min();

enum class Kind : std::uint8_t {
    hatch = 0,    // pairs of points: start and end of each vector
    contour = 1,  // a polyline
    points = 2,   // single exposures
    jump = 3,     // a polyline with the laser off
};

enum class Closed : std::uint8_t { no = 0, yes = 1, unknown = 2 };  // unknown: null

// Most of each thing that is read. Every count is also held against the bytes that remain.
struct Limits {
    std::uint64_t max_layers = 1'000'000;
    std::uint64_t max_geometries_per_layer = 50'000'000;
    std::uint64_t max_points_per_layer = 500'000'000;
    std::uint64_t max_models = 100'000;
    std::uint64_t max_build_styles = 100'000;
    std::uint64_t max_header_bytes = std::uint64_t{64} << 20;
    std::uint64_t max_nesting = 32;
    // What a layer may take in memory where the file says things once and means them often (repeats,
    // arcs, several lasers on one path), as a multiple of its bytes.
    std::uint64_t max_expansion = 100;
};

// Bytes that are kept though nobody here knows what they mean.
struct RawTag {
    std::string path;  // where: "header/model/48", "USERDATA/uid"
    std::uint64_t offset = 0;
    std::vector<std::uint8_t> bytes;
};

struct Model {
    std::int32_t model_id = kNoId;
    std::string name;
    std::optional<std::int64_t> top_layer;  // highest layer that uses it
    std::vector<RawTag> raw_tags;
};

struct BuildStyle {
    std::int32_t build_style_id = kNoId;
    std::int32_t model_id = kNoId;  // where styles belong to models
    std::int32_t laser_id = kNoId;
    std::string name;
    std::string description;
    std::optional<double> laser_power_w;
    std::optional<double> speed_mm_s;
    std::optional<double> exposure_time_us;
    std::optional<double> point_distance_um;
    std::optional<double> point_delay_us;
    std::optional<double> jump_speed_mm_s;
    std::optional<double> jump_delay_us;
    std::optional<double> focus_mm;
    std::optional<double> spot_size_um;
    // What the format has beyond these, by the format's own names and in its own units.
    std::vector<std::pair<std::string, std::string>> parameters;
    std::vector<RawTag> raw_tags;
};

struct LayerInfo {
    double z_mm = std::numeric_limits<double>::quiet_NaN();  // NaN: the file does not say
    std::uint64_t offset = 0;                                // of its bytes in the file
    std::uint64_t size = 0;
};

// Something wrong that reading went on after.
struct Damage {
    ErrorCode code;
    std::uint64_t offset;
    std::int64_t layer;  // -1: not within a layer
    std::string message;
};

struct Header {
    std::string format;  // "cli", "sli", "mtt", "slm", "ovf", "amxml"
    // Everything that the header says, in its order; keys are lower case with underscores and a unit.
    std::vector<std::pair<std::string, std::string>> metadata;
    std::vector<Model> models;
    std::vector<BuildStyle> build_styles;
    std::optional<double> unit_mm;                   // millimetres per unit of the file
    std::optional<std::array<double, 6>> dimension_mm;  // x0, y0, z0, x1, y1, z1 as declared
    std::optional<std::int64_t> declared_layers;
    std::vector<RawTag> raw_tags;
};

// Geometries of some layers, as columns. A geometry has coordinate rows [offset, offset + count).
struct Geometries {
    Column<std::int32_t> layer;
    Column<std::int32_t> geometry_id;  // position within its layer, from 0
    Column<std::uint8_t> kind;
    Column<std::int32_t> model_id;
    Column<std::int32_t> build_style_id;
    Column<std::int32_t> laser_id;
    Column<std::uint8_t> closed;
    Column<std::int64_t> offset;
    Column<std::int64_t> count;
    Column<float> x_mm;
    Column<float> y_mm;
    // What of the layers has no place in these columns: one entry per layer and kind of thing.
    std::vector<Damage> warnings;
    // Where the file contradicts itself, but only one reading makes sense, and damage is tolerated.
    std::vector<Damage> mended;

    // Rows so far, to go back to when a layer turns out to be damaged.
    struct Mark {
        std::size_t geometries;
        std::size_t points;
        std::size_t warnings;
        std::size_t mended;
    };
    Mark mark() const noexcept {
        return {layer.size(), x_mm.size(), warnings.size(), mended.size()};
    }
    void rewind(Mark mark);

    // Makes room for more rows; the caller has held the numbers against the bytes that are there.
    void reserve(std::size_t geometries, std::size_t points);

    struct Points {
        float* x;
        float* y;
    };
    // Adds a geometry of `points` coordinate rows, which the caller then fills.
    Points add(std::int32_t layer_index, std::int32_t id, Kind geometry_kind, std::int32_t model,
               std::int32_t build_style, std::int32_t laser, Closed is_closed, std::size_t points);
    // Gives back the last `points` coordinate rows of the last geometry.
    void shorten_last(std::size_t points);
    // Closed::yes if the last geometry ends where it begins and has at least three points.
    void set_last_closed(Closed is_closed) { closed.back() = static_cast<std::uint8_t>(is_closed); }
};

}  // namespace pbf::buildfile
