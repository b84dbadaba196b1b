// OVF: one vector block as rows of the columns.
#include <algorithm>

#include "buildfile/coordinates.hpp"
#include "buildfile/ovf.hpp"

namespace pbf::buildfile::ovf {
namespace {

// The tag of field 1 where it is packed.
constexpr std::uint8_t kPackedPointsTag = 0x0a;

// The message that says what a block's vectors are. Protobuf allows one to come in parts, which are
// to be read as one; a later member of the oneof replaces an earlier.
struct Vectors {
    std::uint32_t member = 0;
    WirePiece first;
    std::vector<WirePiece> more;

    void add(const WireField& field) {
        if (field.number != member) {
            member = field.number;
            first = field.piece();
            more.clear();
        } else {
            more.push_back(field.piece());
        }
    }
    template <typename Each>
    void for_each(Each&& each) const {
        each(first);
        for (const WirePiece& piece : more) {
            each(piece);
        }
    }
};

struct Block {
    Vectors vectors;
    Ids ids;
    std::uint64_t repeats = 0;
};

std::int32_t id_of(const WireField& field, const char* what) {
    const std::int32_t id = field.int32(what);
    if (id == kNoId) {
        throw FormatError(ErrorCode::bad_number, field.offset,
                          std::string(what) + " is the one number that stands for none");
    }
    return id;
}

Block read_block(WirePiece message, const ZeroKeys& zero_keys) {
    Block out;
    bool style_said = false;
    bool part_said = false;
    bool meta_said = false;
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        if (field.type == WireType::length && field.number <= block::kSync) {
            out.vectors.add(field);
        } else if (field.is(block::kMarkingParams, WireType::varint)) {
            out.ids.build_style = id_of(field, "a marking_params_key");
            style_said = true;
        } else if (field.is(block::kLaser, WireType::varint)) {
            out.ids.laser = id_of(field, "a laser_index");
        } else if (field.is(block::kRepeats, WireType::varint)) {
            out.repeats = field.value;
        } else if (field.is(block::kMeta, WireType::length)) {
            meta_said = true;
            for_each_varint(field.piece(), block::kMetaPart,
                            [&](std::uint64_t value, std::uint64_t offset) {
                                WireField part;
                                part.value = value;
                                part.offset = offset;
                                out.ids.model = id_of(part, "a part_key");
                                part_said = true;
                            });
        }
    }
    // A key of 0 is left out on the wire: it is meant where the job has something under 0.
    if (!style_said && zero_keys.build_style) {
        out.ids.build_style = 0;
    }
    if (!part_said && meta_said && zero_keys.model) {
        out.ids.model = 0;
    }
    return out;
}

// Puts the floats of points (x, y) or (x, y, and one more) where they belong.
class Fill {
  public:
    Fill(Geometries::Points to, unsigned stride, float z_mm) noexcept
        : x_(to.x), y_(to.y), stride_(stride), z_mm_(z_mm) {}

    void run(const std::uint8_t* first, std::size_t count) noexcept {
        for (std::size_t index = 0; index < count; ++index) {
            put(load<float>(first, index));
        }
    }

    // Points whose third number is a height, and neither the plane's nor 0.
    std::uint64_t other_heights() const noexcept { return other_heights_; }

  private:
    void put(float value) noexcept {
        if (phase_ == 0) {
            x_[point_] = value;
        } else if (phase_ == 1) {
            y_[point_] = value;
        } else if (value != 0 && value != z_mm_) {
            ++other_heights_;
        }
        if (++phase_ == stride_) {
            phase_ = 0;
            ++point_;
        }
    }

    float* x_;
    float* y_;
    unsigned stride_;
    float z_mm_;
    std::size_t point_ = 0;
    unsigned phase_ = 0;
    std::uint64_t other_heights_ = 0;
};

bool all_finite(const float* values, std::size_t count) noexcept {
    unsigned wrong = 0;
    for (std::size_t index = 0; index < count; ++index) {
        wrong |= unsigned{not_finite(values[index])};
    }
    return wrong == 0;
}

[[noreturn]] void fail_not_finite(const Vectors& vectors, unsigned stride) {
    std::uint64_t index = 0;
    vectors.for_each([&](const WirePiece& piece) {
        for_each_float_run(piece, 1, [&](const std::uint8_t* first, std::size_t count,
                                         std::uint64_t offset) {
            for (std::size_t item = 0; item < count; ++item, ++index) {
                if (index % stride < 2 && not_finite(load<float>(first, item))) {
                    throw FormatError(ErrorCode::bad_number, offset + item * sizeof(float),
                                      "a coordinate is not finite");
                }
            }
        });
    });
    throw FormatError(ErrorCode::bad_number, vectors.first.offset, "a coordinate is not finite");
}

// The usual case, and the fast one: whole 2D points in one packed field. False: it is another case,
// or wrong; nothing has been added then.
bool decode_packed(const Vectors& vectors, Kind kind, const LayerContext& context, const Ids& ids,
                   Geometries& out) {
    const WirePiece& message = vectors.first;
    if (!vectors.more.empty() || message.bytes.size() < 2 || message.bytes[0] != kPackedPointsTag) {
        return false;
    }
    ByteReader reader(message.bytes, message.offset);
    reader.skip(1, "a tag");
    const WirePiece packed = read_delimited(reader, "points");
    const std::size_t whole = (kind == Kind::hatch ? 4 : 2) * sizeof(float);
    if (!reader.at_end() || packed.bytes.size() % whole != 0) {
        return false;
    }
    const std::size_t points = packed.bytes.size() / (2 * sizeof(float));
    context.check(points, packed.offset);
    const Geometries::Points to = add_row(out, context, ids, kind, points);
    read_points<float>(packed.bytes, packed.offset, 1.0, to.x, to.y);
    if (kind == Kind::contour) {
        close_last(out);
    }
    return true;
}

// Lines, hatches and points, in 2D, 3D or with a parameter as the third number of each point.
void decode_points(const Vectors& vectors, Kind kind, unsigned stride, const LayerContext& context,
                   const Ids& ids, Geometries& out, Leftovers& leftovers) {
    if (stride == 2 && decode_packed(vectors, kind, context, ids, out)) {
        return;
    }
    std::uint64_t floats = 0;
    vectors.for_each([&](const WirePiece& piece) {
        for_each_float_run(piece, 1, [&](const std::uint8_t*, std::size_t count, std::uint64_t) {
            floats += count;
        });
    });
    const std::uint64_t whole = kind == Kind::hatch ? 2 * stride : stride;
    if (floats % whole != 0) {
        throw FormatError(ErrorCode::bad_count, vectors.first.offset,
                          std::to_string(floats) + " numbers, where each " +
                              (kind == Kind::hatch ? "vector" : "point") + " has " +
                              std::to_string(whole));
    }
    const std::uint64_t points = floats / stride;
    context.check(points, vectors.first.offset);
    const Geometries::Points to =
        add_row(out, context, ids, kind, static_cast<std::size_t>(points));
    Fill fill(to, stride, context.z_mm);
    vectors.for_each([&](const WirePiece& piece) {
        for_each_float_run(piece, 1, [&](const std::uint8_t* first, std::size_t count,
                                         std::uint64_t) { fill.run(first, count); });
    });
    if (!all_finite(to.x, points) || !all_finite(to.y, points)) {
        fail_not_finite(vectors, stride);
    }
    if (kind == Kind::contour) {
        close_last(out);
    }
    if (vectors.member == block::kAdaptedLines) {
        leftovers.note(Leftovers::adapted, vectors.first.offset);
    } else if (fill.other_heights() > 0) {
        leftovers.note(Leftovers::heights, vectors.first.offset, fill.other_heights());
    }
}

// Hatches in pieces, each piece with a parameter to reach at its end: the pieces as vectors.
void decode_adapted_hatches(const Vectors& vectors, const LayerContext& context, const Ids& ids,
                            Geometries& out, Leftovers& leftovers) {
    Geometries lines;  // each hatch as a polyline first
    LayerContext apart = context;
    apart.first_row = 0;
    vectors.for_each([&](const WirePiece& piece) {
        WireReader reader(piece);
        WireField field;
        while (reader.next(field)) {
            if (field.is(1, WireType::length)) {
                Vectors one;
                one.member = block::kAdaptedLines;
                one.first = field.piece();
                Leftovers none;
                decode_points(one, Kind::contour, 3, apart, ids, lines, none);
            }
        }
    });
    std::size_t points = 0;
    for (const std::int64_t count : lines.count) {
        points += count > 1 ? 2 * static_cast<std::size_t>(count - 1) : 0;
    }
    context.check(points, vectors.first.offset);
    const Geometries::Points to = add_row(out, context, ids, Kind::hatch, points);
    std::size_t row = 0;
    for (std::size_t line = 0; line < lines.count.size(); ++line) {
        const auto first = static_cast<std::size_t>(lines.offset[line]);
        const auto behind = first + static_cast<std::size_t>(lines.count[line]);
        for (std::size_t point = first; point + 1 < behind; ++point, row += 2) {
            std::copy_n(lines.x_mm.data() + point, 2, to.x + row);
            std::copy_n(lines.y_mm.data() + point, 2, to.y + row);
        }
    }
    leftovers.note(Leftovers::adapted, vectors.first.offset);
}

void note_pause(const Vectors& vectors, Leftovers& leftovers) {
    std::uint64_t pause_us = 0;
    vectors.for_each([&](const WirePiece& piece) {
        for_each_varint(piece, 1, [&](std::uint64_t value, std::uint64_t) { pause_us = value; });
    });
    leftovers.note(Leftovers::pauses, vectors.first.offset, pause_us);
}

}  // namespace

Geometries::Points add_row(Geometries& out, const LayerContext& context, const Ids& ids, Kind kind,
                           std::size_t points) {
    return out.add(context.layer, static_cast<std::int32_t>(out.layer.size() - context.first_row),
                   kind, ids.model, ids.build_style, ids.laser,
                   kind == Kind::contour ? Closed::no : Closed::unknown, points);
}

void close_last(Geometries& out) noexcept {
    const auto count = static_cast<std::size_t>(out.count.back());
    const auto first = static_cast<std::size_t>(out.offset.back());
    if (count >= 3 && out.x_mm[first] == out.x_mm[first + count - 1] &&
        out.y_mm[first] == out.y_mm[first + count - 1]) {
        out.set_last_closed(Closed::yes);
    }
}

void decode_block(WirePiece message, const LayerContext& context, Geometries& out,
                  Leftovers& leftovers) {
    const Block read = read_block(message, context.zero_keys);
    const std::size_t before = out.layer.size();
    const Vectors& vectors = read.vectors;
    const auto points = [&](Kind kind, unsigned stride) {
        decode_points(vectors, kind, stride, context, read.ids, out, leftovers);
    };
    switch (vectors.member) {
        case block::kLines: points(Kind::contour, 2); break;
        case block::kHatches: points(Kind::hatch, 2); break;
        case block::kPoints: points(Kind::points, 2); break;
        case block::kLines3d: points(Kind::contour, 3); break;
        case block::kHatches3d: points(Kind::hatch, 3); break;
        case block::kPoints3d: points(Kind::points, 3); break;
        case block::kAdaptedLines: points(Kind::contour, 3); break;
        case block::kAdaptedHatches:
            decode_adapted_hatches(vectors, context, read.ids, out, leftovers);
            break;
        case block::kArcs:
        case block::kArcs3d:
            vectors.for_each([&](const WirePiece& piece) {
                decode_arcs(piece, vectors.member == block::kArcs3d, context, read.ids, out,
                            leftovers);
            });
            break;
        case block::kEllipses: leftovers.note(Leftovers::ellipses, message.offset); break;
        case block::kPause: note_pause(vectors, leftovers); break;
        case block::kSync: leftovers.note(Leftovers::syncs, message.offset); break;
        default: leftovers.note(Leftovers::unknown, message.offset); break;
    }
    if (read.repeats > 0) {
        repeat_rows(out, before, read.repeats, context, message.offset);
    }
}

}  // namespace pbf::buildfile::ovf
