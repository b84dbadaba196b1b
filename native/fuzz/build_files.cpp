#include <bit>
#include <cmath>
#include <memory>
#include <optional>

#include "buildfile/reader.hpp"
#include "buildfile/writer.hpp"
#include "fuzz/finding.hpp"
#include "fuzz/target.hpp"

namespace pbf::fuzz {
namespace {

using buildfile::BuildReader;
using buildfile::Geometries;
using buildfile::LayerView;
using buildfile::OpenOptions;

OpenOptions options(bool tolerate_damage) {
    OpenOptions out;
    out.tolerate_damage = tolerate_damage;
    out.limits.max_layers = 10'000;
    out.limits.max_geometries_per_layer = 100'000;
    out.limits.max_points_per_layer = 1'000'000;
    out.limits.max_header_bytes = 1 << 20;
    return out;
}

std::unique_ptr<BuildReader> open(std::string_view format, Bytes bytes, bool tolerate_damage) {
    try {
        return buildfile::open_build(format, std::make_shared<BorrowedBytes>(bytes),
                                     options(tolerate_damage));
    } catch (const FormatError& error) {
        // Offsets name a byte of the file, or its end.
        if (error.offset() > bytes.size()) {
            finding("an error lies outside the file");
        }
        return nullptr;
    }
}

void check(const Geometries& rows, std::size_t layers) {
    std::int64_t points = 0;
    const std::size_t count = rows.layer.size();
    if (rows.geometry_id.size() != count || rows.kind.size() != count ||
        rows.model_id.size() != count || rows.build_style_id.size() != count ||
        rows.laser_id.size() != count || rows.closed.size() != count ||
        rows.offset.size() != count || rows.count.size() != count ||
        rows.x_mm.size() != rows.y_mm.size()) {
        finding("columns differ in length");
    }
    for (std::size_t row = 0; row < count; ++row) {
        if (rows.offset[row] != points || rows.count[row] < 0 || rows.kind[row] > 3 ||
            rows.closed[row] > 2 || rows.layer[row] < 0 ||
            static_cast<std::size_t>(rows.layer[row]) >= layers) {
            finding("a geometry contradicts itself");
        }
        if (rows.kind[row] == 0 && rows.count[row] % 2 != 0) {
            finding("half a hatch vector");
        }
        points += rows.count[row];
    }
    if (static_cast<std::size_t>(points) != rows.x_mm.size()) {
        finding("coordinates without a geometry");
    }
    for (std::size_t row = 0; row < rows.x_mm.size(); ++row) {
        if (!std::isfinite(rows.x_mm[row]) || !std::isfinite(rows.y_mm[row])) {
            finding("a coordinate that is not finite");
        }
    }
}

// All layers that can be read; nothing if one of them is damaged and all are wanted.
std::optional<Geometries> read(const BuildReader& reader, bool all_wanted) {
    Geometries rows;
    for (std::size_t layer = 0; layer < reader.layers().size(); ++layer) {
        const Geometries::Mark before = rows.mark();
        try {
            reader.read_layer(layer, rows);
        } catch (const FormatError&) {
            const Geometries::Mark after = rows.mark();
            if (after.geometries != before.geometries || after.points != before.points) {
                finding("a damaged layer left rows behind");
            }
            if (all_wanted) {
                return std::nullopt;
            }
        }
    }
    check(rows, reader.layers().size());
    return rows;
}

void write_and_read_again(std::string_view format, const BuildReader& reader,
                          const Geometries& rows) {
    buildfile::MemorySink sink;
    bool nothing_lost = false;
    try {
        const auto writer = buildfile::make_writer(format, sink, {});
        writer->begin(reader.header());
        std::size_t row = 0;
        for (std::size_t layer = 0; layer < reader.layers().size(); ++layer) {
            const std::size_t first = row;
            while (row < rows.layer.size() &&
                   static_cast<std::size_t>(rows.layer[row]) == layer) {
                ++row;
            }
            const std::size_t length = row - first;
            writer->layer(LayerView{
                .z_mm = reader.layers()[layer].z_mm,
                .kind = {rows.kind.data() + first, length},
                .model_id = {rows.model_id.data() + first, length},
                .build_style_id = {rows.build_style_id.data() + first, length},
                .laser_id = {rows.laser_id.data() + first, length},
                .closed = {rows.closed.data() + first, length},
                .offset = {rows.offset.data() + first, length},
                .count = {rows.count.data() + first, length},
                .x_mm = {rows.x_mm.data(), rows.x_mm.size()},
                .y_mm = {rows.y_mm.data(), rows.y_mm.size()},
            });
        }
        writer->finish();
        nothing_lost = writer->lost().empty();
    } catch (const FormatError&) {
        return;  // the format cannot hold it, or is only read
    }
    const std::unique_ptr<BuildReader> again = open(format, sink.bytes(), false);
    if (!again) {
        finding("what was written cannot be opened");
    }
    if (again->layers().size() != reader.layers().size()) {
        finding("layers were lost in writing");
    }
    const std::optional<Geometries> back = read(*again, true);
    if (!back) {
        finding("what was written cannot be read");
    }
    if (nothing_lost && (back->count != rows.count || back->kind != rows.kind)) {
        finding("geometries changed in writing");
    }
}

}  // namespace

void run_build_file(std::string_view format, const std::uint8_t* data, std::size_t size) {
    const Bytes bytes(data, size);
    (void)buildfile::sniff(bytes);
    if (const auto tolerant = open(format, bytes, true)) {
        (void)read(*tolerant, false);
    }
    if (const auto strict = open(format, bytes, false)) {
        if (!strict->damage().empty()) {
            finding("damage where none is tolerated");
        }
        if (const std::optional<Geometries> rows = read(*strict, true)) {
            write_and_read_again(format, *strict, *rows);
        }
    }
}

}  // namespace pbf::fuzz
