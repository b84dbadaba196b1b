#include "buildfile/cli_binary.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "buildfile/cli.hpp"
#include "buildfile/cli_text.hpp"
#include "buildfile/coordinates.hpp"

namespace pbf::buildfile::cli {
namespace {

template <typename T>
T field(ByteReader& reader, bool align, const char* what) {
    const T value = reader.read<T>(what);
    if (align && sizeof(T) < 4) {
        reader.skip(4 - sizeof(T), what);
    }
    return value;
}

// The header fields of a geometry, and its coordinates as bytes.
template <typename T, std::size_t kPointsEach, std::size_t kPointSize>
void read_geometry(ByteReader& reader, bool align, Command& command) {
    const T id = field<T>(reader, align, "the id of a geometry");
    if (std::int64_t{id} == kNoId) {
        throw FormatError(ErrorCode::bad_number, command.offset, "an id is out of its range");
    }
    command.id = static_cast<std::int32_t>(id);
    if (kPointsEach == 1) {
        (void)field<T>(reader, align, "the direction of a polyline");
    }
    const std::int64_t count = field<T>(reader, align, "the number of points");
    if (count < 0) {
        throw FormatError(ErrorCode::bad_count, command.offset,
                          "a geometry has " + std::to_string(count) + " points");
    }
    command.coordinates_offset = static_cast<std::size_t>(reader.file_offset());
    command.coordinates =
        reader.take_items(static_cast<std::uint64_t>(count), kPointsEach * kPointSize,
                          kPointsEach == 1 ? "points" : "hatch vectors");
}

// Evidence for how short coordinates are to be read, where the header does not say. Read the wrong way,
// a contour that crosses 0 (signed) or 32768 (unsigned) in small steps jumps by nearly 65536 units. Long
// steps prove nothing: the hatches of a large part have them both ways.
struct ShortSteps {
    static constexpr int kSmall = 4096;
    std::uint64_t small_as_signed = 0;
    std::uint64_t small_as_unsigned = 0;

    void add(const Command& command) noexcept {
        if (command.kind() != Kind::contour) {
            return;
        }
        const std::uint8_t* values = command.coordinates.data();
        for (std::size_t value = 2; value < 2 * command.points(); ++value) {
            const auto from = load<std::uint16_t>(values, value - 2);
            const auto to = load<std::uint16_t>(values, value);
            if (((to ^ from) & 0x8000) != 0) {
                const int apart = std::abs(int{to} - int{from});
                small_as_unsigned += apart < kSmall ? 1U : 0U;
                small_as_signed += 65536 - apart < kSmall ? 1U : 0U;
            }
        }
    }
};

class BinaryReader final : public CliReader {
  public:
    BinaryReader(std::shared_ptr<const ByteSource> source, const OpenOptions& options,
                 const Framing& framing, Header&& header, std::vector<Damage>&& warnings)
        : CliReader(std::move(source), options, framing, std::move(header), std::move(warnings)) {
        index();
        check_declared();
    }

  protected:
    void decode_layer(std::size_t index, Geometries& out) const override {
        const Geometries::Mark begin = out.mark();
        const LayerInfo& layer = layers_[index];
        ByteReader reader(bytes().subspan(static_cast<std::size_t>(layer.offset),
                                          static_cast<std::size_t>(layer.size)),
                          layer.offset);
        (void)read_command(reader, framing_.align);  // the layer itself
        std::int32_t id = 0;
        while (!reader.at_end()) {
            const Command command = read_command(reader, framing_.align);
            const std::size_t points = command.points();
            check_layer_limits(out, begin, points, command.offset);
            const Geometries::Points to =
                out.add(static_cast<std::int32_t>(index), id++, command.kind(), command.id, kNoId,
                        kNoId, Closed::unknown, points);
            if (!command.is_short()) {
                read_points<float>(command.coordinates, command.coordinates_offset,
                                   framing_.unit_mm, to.x, to.y);
            } else if (signed_) {
                read_points<std::int16_t>(command.coordinates, command.coordinates_offset,
                                          framing_.unit_mm, to.x, to.y);
            } else {
                read_points<std::uint16_t>(command.coordinates, command.coordinates_offset,
                                           framing_.unit_mm, to.x, to.y);
            }
            if (command.kind() == Kind::contour) {
                out.set_last_closed(closedness(out));
            }
        }
    }

  private:
    // Hops from command to command; the counts say how far.
    void index() {
        const std::optional<bool> declared = declared_signed();
        ShortSteps steps;
        ScanRelease scan(source());
        ByteReader reader(bytes());
        reader.seek(framing_.geometry, "the geometry");
        while (!is_end(bytes().subspan(reader.position()))) {
            const std::size_t at = reader.position();
            Command command;
            try {
                command = read_command(reader, framing_.align);
            } catch (const FormatError& error) {
                damaged(error);
                // The layer keeps the bytes up to the next one: reading it says what is wrong.
                reader.seek(next_layer(at), "a layer");
                continue;
            }
            if (command.is_layer()) {
                begin_layer(at, height(command));
            } else if (layers_.empty()) {
                damaged(FormatError(ErrorCode::bad_command, at, "a geometry before any layer"));
            } else {
                has_geometry();
                if (command.is_short() && !declared) {
                    steps.add(command);
                }
            }
            scan.passed(reader.position());
        }
        end_layers(reader.position());
        warn_of_second_geometry(reader.position());
        signed_ = declared.value_or(steps.small_as_signed >= steps.small_as_unsigned);
    }

    // Where a layer above the last one begins, behind damage at `at`, or the end: a layer command that
    // some more commands follow without a gap.
    std::size_t next_layer(std::size_t at) const {
        constexpr int kFollowing = 4;
        while (++at < bytes().size()) {
            if (bytes()[at] != 127 && bytes()[at] != 128) {
                continue;
            }
            ByteReader reader(bytes());
            reader.seek(at, "a layer");
            try {
                const Command layer = read_command(reader, framing_.align);
                const double z_mm = layer.z * framing_.unit_mm;
                bool plausible = layer.is_layer() && std::isfinite(z_mm) &&
                                 (layers_.empty() || !(z_mm <= layers_.back().z_mm));
                for (int more = 0; plausible && more < kFollowing; ++more) {
                    if (is_end(bytes().subspan(reader.position()))) {
                        break;
                    }
                    (void)read_command(reader, framing_.align);
                }
                if (plausible) {
                    return at;
                }
            } catch (const FormatError&) {
                continue;  // no command, or none that fits: not here
            }
        }
        return bytes().size();
    }

    double height(const Command& command) {
        const double z_mm = command.z * framing_.unit_mm;
        if (!std::isfinite(z_mm)) {
            damaged(FormatError(ErrorCode::bad_number, command.offset,
                                "the height of a layer is not a finite number"));
            return std::numeric_limits<double>::quiet_NaN();
        }
        return z_mm;
    }

    // Short coordinates are unsigned by the specification and two's complement in practice. They are
    // signed unless the declared size reaches to where only unsigned ones do. Nothing, if there is no
    // declared size to go by: then small steps decide.
    std::optional<bool> declared_signed() const {
        if (!header_.dimension_mm) {
            return std::nullopt;
        }
        const auto [x0, y0, z0, x1, y1, z1] = *header_.dimension_mm;
        if (!(x0 <= x1 && y0 <= y1) || (x0 == x1 && y0 == y1)) {
            return std::nullopt;  // empty: it was not worked out
        }
        const double most = std::max(x1, y1) / framing_.unit_mm;
        const double least = std::min(x0, y0) / framing_.unit_mm;
        return least < -0.5 || most < 32767.5;
    }

    bool signed_ = true;
};

}  // namespace

Command read_command(ByteReader& reader, bool align) {
    Command command;
    command.offset = static_cast<std::size_t>(reader.file_offset());
    command.opcode = static_cast<Opcode>(field<std::uint16_t>(reader, align, "a command"));
    switch (command.opcode) {
        case Opcode::layer_long:
            command.z = static_cast<double>(field<float>(reader, align, "the height of a layer"));
            return command;
        case Opcode::layer_short:
            command.z = field<std::uint16_t>(reader, align, "the height of a layer");
            return command;
        case Opcode::polyline_short:
            read_geometry<std::uint16_t, 1, 4>(reader, align, command);
            return command;
        case Opcode::polyline_long:
            read_geometry<std::int32_t, 1, 8>(reader, align, command);
            return command;
        case Opcode::hatches_short:
            read_geometry<std::uint16_t, 2, 4>(reader, align, command);
            return command;
        case Opcode::hatches_long:
            read_geometry<std::int32_t, 2, 8>(reader, align, command);
            return command;
    }
    constexpr std::uint16_t kText = 0x2424;  // "$$"
    const auto opcode = static_cast<std::uint16_t>(command.opcode);
    throw FormatError(ErrorCode::bad_command, command.offset,
                      opcode == kText ? "the header says $$BINARY, and a command in text follows"
                                      : "there is no command " + std::to_string(opcode));
}

bool is_end(Bytes rest) noexcept {
    constexpr std::string_view kEnd = "$$GEOMETRYEND";
    constexpr std::size_t kPadding = 4096;
    // No command begins with such a byte.
    const auto most = rest.begin() + static_cast<std::ptrdiff_t>(std::min(rest.size(), kPadding));
    const auto behind = std::find_if_not(rest.begin(), most, [](std::uint8_t byte) {
        return byte == 0 || byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == 0x1A;
    });
    if (behind == rest.end()) {
        return true;
    }
    const auto end = rest.subspan(static_cast<std::size_t>(behind - rest.begin()));
    return begins_with({reinterpret_cast<const char*>(end.data()), end.size()}, kEnd);
}

std::unique_ptr<BuildReader> open_binary(std::shared_ptr<const ByteSource> source,
                                         const OpenOptions& options, const Framing& framing,
                                         Header&& header, std::vector<Damage>&& warnings) {
    return std::make_unique<BinaryReader>(std::move(source), options, framing, std::move(header),
                                          std::move(warnings));
}

}  // namespace pbf::buildfile::cli
