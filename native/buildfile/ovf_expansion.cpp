// OVF: what the file says once and means often (repeats, arcs), and what of it is no vector.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "buildfile/ovf.hpp"

namespace pbf::buildfile::ovf {
namespace {

// Columns of a geometry and of a point in memory, in bytes.
constexpr std::uint64_t kRowBytes = 40;
constexpr std::uint64_t kPointBytes = 2 * sizeof(float);

template <typename T>
void copy_again(Column<T>& column, std::size_t first, std::size_t count) {
    T* to = grow(column, count);
    std::copy_n(column.data() + first, count, to);
}

struct Arc {
    double angle_deg = 0;
    double dx = 0;
    double dy = 0;
    double dz = 0;

    // Chords of one arc; more than a double counts exactly is no arc of a machine.
    double chords() const {
        const double radius = std::hypot(dx, dy);
        double turn = kLargestTurnDeg * std::numbers::pi / 180;
        if (radius > kChordErrorMm) {
            turn = std::min(turn, 2 * std::acos(1 - kChordErrorMm / radius));
        }
        const double angle = std::abs(angle_deg) * std::numbers::pi / 180;
        return std::max(1.0, std::ceil(angle / turn));
    }
};

Arc read_arc(WirePiece message, bool three_d) {
    Arc arc;
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        if (field.is(1, WireType::fixed64)) {
            arc.angle_deg = field.float64();
        } else if (field.is(2, WireType::fixed32)) {
            arc.dx = field.float32();
        } else if (field.is(3, WireType::fixed32)) {
            arc.dy = field.float32();
        } else if (three_d && field.is(4, WireType::fixed32)) {
            arc.dz = field.float32();
        } else {
            continue;
        }
        if (!std::isfinite(arc.angle_deg) || !std::isfinite(arc.dx) || !std::isfinite(arc.dy)) {
            throw FormatError(ErrorCode::bad_number, field.offset, "an arc is not finite");
        }
    }
    return arc;
}

std::string describe(Leftovers::Kind kind, std::uint64_t blocks, std::uint64_t amount) {
    const std::string many = std::to_string(blocks) + (blocks == 1 ? " block" : " blocks");
    switch (kind) {
        case Leftovers::ellipses:
            return many + " of ellipses, whose axes have no defined direction";
        case Leftovers::heights:
            return "the heights of " + std::to_string(amount) +
                   " points, which are not the work plane's, in " + many;
        case Leftovers::pauses:
            return std::to_string(amount) + " us of pauses, in " + many;
        case Leftovers::syncs: return many + " in which a laser waits for another";
        case Leftovers::adapted: return "parameters that change along the vectors, in " + many;
        case Leftovers::unknown: return many + " without vectors of a known kind";
        case Leftovers::kinds: break;
    }
    return many;
}

}  // namespace

void Leftovers::note(Kind kind, std::uint64_t offset, std::uint64_t amount) noexcept {
    Count& count = counts_[kind];
    if (count.blocks == 0) {
        count.offset = offset;
    }
    ++count.blocks;
    count.amount += amount;
}

void Leftovers::finish(std::int64_t layer, std::vector<Damage>& warnings) const {
    for (std::uint8_t kind = 0; kind < kinds; ++kind) {
        const Count& count = counts_[kind];
        if (count.blocks == 0) {
            continue;
        }
        warnings.push_back({ErrorCode::unsupported, count.offset, layer,
                            "left out: " + describe(static_cast<Kind>(kind), count.blocks,
                                                    count.amount)});
    }
}

void repeat_rows(Geometries& out, std::size_t first, std::uint64_t times,
                 const LayerContext& context, std::uint64_t offset) {
    const std::size_t rows = out.layer.size() - first;
    if (rows == 0) {
        return;
    }
    const auto first_point = static_cast<std::size_t>(out.offset[first]);
    const std::size_t points = out.x_mm.size() - first_point;
    for (std::uint64_t time = 0; time < times; ++time) {
        context.check(points, offset);
        context.check_expansion(rows * kRowBytes + points * kPointBytes, offset);
        const std::size_t begin = out.layer.size();
        copy_again(out.layer, first, rows);
        copy_again(out.kind, first, rows);
        copy_again(out.model_id, first, rows);
        copy_again(out.build_style_id, first, rows);
        copy_again(out.laser_id, first, rows);
        copy_again(out.closed, first, rows);
        copy_again(out.count, first, rows);
        const auto moved = static_cast<std::int64_t>(out.x_mm.size() - first_point);
        for (std::size_t row = 0; row < rows; ++row) {
            out.geometry_id.push_back(static_cast<std::int32_t>(begin + row - context.first_row));
            out.offset.push_back(out.offset[first + row] + moved);
        }
        copy_again(out.x_mm, first_point, points);
        copy_again(out.y_mm, first_point, points);
    }
}

void decode_arcs(WirePiece message, bool three_d, const LayerContext& context, const Ids& ids,
                 Geometries& out, Leftovers& leftovers) {
    const Arc arc = read_arc(message, three_d);
    if (arc.dz != 0) {
        leftovers.note(Leftovers::unknown, message.offset);  // no circle in the plane
        return;
    }
    const double chords = arc.chords();
    const double turn = arc.angle_deg * std::numbers::pi / 180 / chords;
    // Full turns end where they begin, whatever sine and cosine make of it.
    const bool full = arc.angle_deg != 0 && std::fmod(arc.angle_deg, 360.0) == 0;
    double center[3] = {};
    unsigned phase = 0;
    const unsigned stride = three_d ? 3 : 2;
    const auto one_arc = [&](std::uint64_t offset) {
        // At most 1e15 chords are counted in whole numbers; the limits are far below.
        const auto points = static_cast<std::uint64_t>(std::min(chords, 1e15)) + 1;
        context.check(points, offset);
        context.check_expansion(kRowBytes + points * kPointBytes, offset);
        if (three_d && center[2] != 0 && static_cast<float>(center[2]) != context.z_mm) {
            leftovers.note(Leftovers::heights, offset);
        }
        const auto count = static_cast<std::size_t>(points);
        const Geometries::Points to = add_row(out, context, ids, Kind::contour, count);
        for (std::size_t point = 0; point < count; ++point) {
            const double angle = full && point + 1 == count ? 0 : turn * static_cast<double>(point);
            // Positive angles turn clockwise.
            const double x = center[0] + arc.dx * std::cos(angle) + arc.dy * std::sin(angle);
            const double y = center[1] - arc.dx * std::sin(angle) + arc.dy * std::cos(angle);
            to.x[point] = static_cast<float>(x);
            to.y[point] = static_cast<float>(y);
            if (!std::isfinite(to.x[point]) || !std::isfinite(to.y[point])) {
                throw FormatError(ErrorCode::bad_number, offset, "an arc is not finite");
            }
        }
        close_last(out);
    };
    for_each_float_run(message, three_d ? 5 : 4,
                       [&](const std::uint8_t* first, std::size_t count, std::uint64_t offset) {
                           for (std::size_t item = 0; item < count; ++item) {
                               center[phase] = static_cast<double>(load<float>(first, item));
                               if (++phase == stride) {
                                   phase = 0;
                                   one_arc(offset + item * sizeof(float));
                               }
                           }
                       });
    if (phase != 0) {
        throw FormatError(ErrorCode::bad_count, message.offset,
                          "the centres of arcs end within a point");
    }
}

}  // namespace pbf::buildfile::ovf
