// The header of a CLI file to write; what is only known at the end is patched in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "buildfile/model.hpp"
#include "buildfile/writer.hpp"

namespace pbf::buildfile::cli {

using Lose = std::function<void(const std::string&)>;

// Options of the writer.
struct CliVariant {
    std::string name = "binary";  // "binary", "short", "ascii"
    std::optional<double> unit_mm;
    bool align = false;

    bool is_ascii() const noexcept { return name == "ascii"; }
    bool is_short() const noexcept { return name == "short"; }
};

// Throws unsupported for an option that there is not, or a value that it cannot have.
CliVariant variant_from(const WriteOptions& options);

// What was written, for $$DIMENSION and $$LAYERS.
struct Bounds {
    std::int64_t layers = 0;
    bool has_shapes = false;
    bool has_points = false;
    float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    double z0 = 0, z1 = 0;  // of layers with geometries
    double z = 0;           // of the last layer

    void layer(double z_mm) noexcept;
    // Throws not_representable for a coordinate that is not finite.
    void shape(std::span<const float> x, std::span<const float> y);
};

// Where the patched lines stand.
struct HeaderPlaces {
    std::uint64_t dimension = 0;
    std::uint64_t layers = 0;
};

HeaderPlaces write_header(ByteSink& sink, const Header& header, const CliVariant& variant,
                          double unit_mm, const Lose& lose);
void patch_header(ByteSink& sink, const HeaderPlaces& places, const Bounds& bounds);

}  // namespace pbf::buildfile::cli
