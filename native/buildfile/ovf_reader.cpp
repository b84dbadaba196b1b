// OVF: the container. A table of work planes at the end, a table of blocks behind each work plane.
#include <algorithm>
#include <cmath>
#include <utility>

#include "buildfile/formats.hpp"
#include "buildfile/ovf.hpp"

namespace pbf::buildfile {
namespace {

using namespace ovf;

// Where a work plane's bytes are: its blocks, shell and table lie in [begin, end).
struct Extent {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct PlaneParts {
    WirePiece shell;
    WirePiece table;
};

// What the shell of a work plane says.
struct Shell {
    float z_mm = 0;
    std::int64_t number = 0;
    std::uint64_t repeats = 0;
    std::uint64_t blocks = 0;  // declared
    bool moved = false;        // in x or y, or turned
};

class OvfReader final : public BuildReader {
  public:
    OvfReader(Source source, const OpenOptions& options)
        : BuildReader(std::move(source), options.limits), release_(this->source()) {
        header_.format = "ovf";
        header_.unit_mm = 1.0;
        ByteReader file(bytes());
        if (file.take_text(kMagic.size(), "the mark of an OVF file") != kMagic) {
            throw FormatError(ErrorCode::bad_magic, 0, "an OVF file begins with LVF!");
        }
        const auto table = file.read<std::int64_t>("the position of the job's table");
        if (!options.tolerate_damage) {
            read_job_table(table);
            for (std::size_t index = 0; index < layers_.size(); ++index) {
                read_plane(index);
            }
        } else {
            open_tolerantly(table);
        }
        warn();
    }

  protected:
    void decode_layer(std::size_t index, Geometries& out) const override {
        const LayerInfo& info = layers_[index];
        const PlaneParts parts = parts_of(index);
        const Shell shell = shell_of(parts.shell);
        const Geometries::Mark begin = out.mark();
        LayerContext context;
        context.layer = static_cast<std::int32_t>(index);
        context.first_row = out.layer.size();
        context.z_mm = shell.z_mm;
        context.zero_keys = zero_keys_;
        context.check = [&](std::uint64_t points, std::uint64_t offset) {
            check_layer_limits(out, begin, points, offset);
        };
        context.check_expansion = [&](std::uint64_t more, std::uint64_t offset) {
            const std::uint64_t taken = (out.layer.size() - begin.geometries) * 40 +
                                        (out.x_mm.size() - begin.points) * 8;
            const std::uint64_t most = limits_.max_expansion * info.size;
            if (taken > most || more > most - taken) {
                throw FormatError(ErrorCode::limit_exceeded, offset,
                                  "repeats and arcs make more than max_expansion = " +
                                      std::to_string(limits_.max_expansion) +
                                      " times the layer's bytes");
            }
        };
        // At most a geometry per byte of the table, and a point per 8 bytes of the layer.
        const auto ends = std::count_if(parts.table.bytes.begin(), parts.table.bytes.end(),
                                        [](std::uint8_t byte) { return byte < 0x80; });
        out.reserve(static_cast<std::size_t>(ends), static_cast<std::size_t>(info.size) / 8);
        Leftovers leftovers;
        const std::uint64_t blocks = decode_blocks(index, parts, context, out, leftovers);
        if (shell.repeats > 0) {
            repeat_rows(out, begin.geometries, shell.repeats, context, parts.shell.offset);
        }
        leftovers.finish(static_cast<std::int64_t>(index), out.warnings);
        if (shell.blocks != 0 && shell.blocks != blocks) {
            out.warnings.push_back({ErrorCode::inconsistent, parts.shell.offset,
                                    static_cast<std::int64_t>(index),
                                    "the work plane declares " + std::to_string(shell.blocks) +
                                        " blocks and has " + std::to_string(blocks)});
        }
    }

  private:
    // Decodes all blocks of a plane, in the order of its table; gives their number.
    std::uint64_t decode_blocks(std::size_t index, const PlaneParts& parts,
                                const LayerContext& context, Geometries& out,
                                Leftovers& leftovers) const {
        const LayerInfo& info = layers_[index];
        std::uint64_t blocks = 0;
        std::uint64_t block_bytes = 0;
        for_each_varint(parts.table, lut::kPositions, [&](std::uint64_t at, std::uint64_t where) {
            const WirePiece block = piece_at(index, at, where, "a vector block");
            // Blocks that share bytes would make much of little.
            block_bytes += block.bytes.size() + 1;
            if (block_bytes > info.size) {
                throw FormatError(ErrorCode::inconsistent, where,
                                  "the blocks of the work plane overlap");
            }
            decode_block(block, context, out, leftovers);
            ++blocks;
        });
        // The format has them outside of the shell; a writer that put them inside loses nothing.
        WireReader reader(parts.shell);
        WireField field;
        while (reader.next(field)) {
            if (field.is(plane::kBlocks, WireType::length)) {
                decode_block(field.piece(), context, out, leftovers);
                ++blocks;
            }
        }
        return blocks;
    }

    // The message at a position of the file that plane `index` must contain; `where` the position
    // stands.
    WirePiece piece_at(std::size_t index, std::uint64_t at, std::uint64_t where,
                       const char* what) const {
        const LayerInfo& info = layers_[index];
        const std::uint64_t end = info.offset + info.size;
        if (at < info.offset + sizeof(std::int64_t) || at >= end) {
            throw FormatError(ErrorCode::bad_offset, where,
                              std::string("the position of ") + what +
                                  " lies outside of its work plane");
        }
        ByteReader reader(bytes().subspan(at, end - at), at);
        return read_delimited(reader, what);
    }

    PlaneParts parts_of(std::size_t index) const {
        const LayerInfo& info = layers_[index];
        ByteReader reader(bytes().subspan(info.offset, info.size), info.offset);
        const auto table = reader.read<std::uint64_t>("the position of a work plane's table");
        PlaneParts parts;
        parts.table = piece_at(index, table, info.offset, "a work plane's table");
        std::uint64_t shell = 0;
        std::uint64_t where = parts.table.offset;
        for_each_varint(parts.table, lut::kShell, [&](std::uint64_t at, std::uint64_t offset) {
            shell = at;
            where = offset;
        });
        parts.shell = piece_at(index, shell, where, "a work plane's shell");
        return parts;
    }

    static Shell shell_of(WirePiece piece) {
        Shell shell;
        WireReader reader(piece);
        WireField field;
        while (reader.next(field)) {
            if (field.is(plane::kZ, WireType::fixed32)) {
                shell.z_mm = field.float32();
                if (!std::isfinite(shell.z_mm)) {
                    throw FormatError(ErrorCode::bad_number, field.offset, "z is not finite");
                }
            } else if (field.type == WireType::fixed32 && field.number >= plane::kX &&
                       field.number <= plane::kRotationZ) {
                shell.moved |= field.float32() != 0;
            } else if (field.is(plane::kBlockCount, WireType::varint)) {
                shell.blocks = field.value;
            } else if (field.is(plane::kRepeats, WireType::varint)) {
                shell.repeats = field.value;
            } else if (field.is(plane::kNumber, WireType::varint)) {
                shell.number = static_cast<std::int64_t>(field.value);
            }
        }
        return shell;
    }

    WirePiece delimited_at(std::uint64_t at, std::uint64_t where, const char* what) const {
        if (at < kHeaderBytes || at >= bytes().size()) {
            throw FormatError(ErrorCode::bad_offset, where,
                              std::string("the position of ") + what + " lies outside of the file");
        }
        ByteReader reader(bytes().subspan(at), at);
        const WirePiece piece = read_delimited(reader, what);
        if (piece.bytes.size() > limits_.max_header_bytes) {
            throw FormatError(ErrorCode::limit_exceeded, at,
                              std::string(what) + " is larger than max_header_bytes = " +
                                  std::to_string(limits_.max_header_bytes));
        }
        return piece;
    }

    void read_job_table(std::int64_t position) {
        if (position == 0) {
            throw FormatError(ErrorCode::truncated, kMagic.size(),
                              "the file was never finished: it has no table of its work planes");
        }
        const WirePiece table = delimited_at(static_cast<std::uint64_t>(position), kMagic.size(),
                                             "the job's table");
        std::vector<std::uint64_t> planes;
        std::uint64_t shell = 0;
        std::uint64_t shell_where = table.offset;
        for_each_varint(table, lut::kShell, [&](std::uint64_t at, std::uint64_t where) {
            shell = at;
            shell_where = where;
        });
        for_each_varint(table, lut::kPositions, [&](std::uint64_t at, std::uint64_t where) {
            check_layer_count(planes.size(), where);
            if (at < kHeaderBytes || at >= bytes().size()) {
                throw FormatError(ErrorCode::bad_offset, where,
                                  "the position of a work plane lies outside of the file");
            }
            planes.push_back(at);
        });
        add_layers(planes, {shell, static_cast<std::uint64_t>(position), bytes().size()},
                   table.offset);
        read_job_at(shell, shell_where);
    }

    void read_job_at(std::uint64_t shell, std::uint64_t where) {
        read_job(delimited_at(shell, where, "the job's shell"), limits_, header_, warnings_);
        for (const BuildStyle& style : header_.build_styles) {
            zero_keys_.build_style |= style.build_style_id == 0;
        }
        for (const Model& model : header_.models) {
            zero_keys_.model |= model.model_id == 0;
        }
    }

    // A work plane ends where the next thing begins.
    void add_layers(const std::vector<std::uint64_t>& planes, std::vector<std::uint64_t> ends,
                    std::uint64_t where) {
        ends.insert(ends.end(), planes.begin(), planes.end());
        std::sort(ends.begin(), ends.end());
        std::vector<std::uint64_t> sorted = planes;
        std::sort(sorted.begin(), sorted.end());
        if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
            throw FormatError(ErrorCode::inconsistent, where,
                              "two work planes have the same position");
        }
        layers_.reserve(planes.size());
        for (const std::uint64_t begin : planes) {
            const std::uint64_t end = *std::upper_bound(ends.begin(), ends.end(), begin);
            layers_.push_back({.offset = begin, .size = end - begin});
        }
    }

    void read_plane(std::size_t index) {
        const Shell shell = shell_of(parts_of(index).shell);
        layers_[index].z_mm = static_cast<double>(shell.z_mm);
        moved_planes_ += shell.moved ? 1 : 0;
        misnumbered_ += shell.number != static_cast<std::int64_t>(index) ? 1 : 0;
        any_number_ |= shell.number != 0;
        release_.passed(static_cast<std::size_t>(layers_[index].offset));
    }

    void open_tolerantly(std::int64_t position) {
        try {
            read_job_table(position);
        } catch (const FormatError& error) {
            damage_.push_back({error.code(), error.offset(), -1, error.what()});
            if (layers_.empty()) {
                walk_planes();
            }
        }
        for (std::size_t index = 0; index < layers_.size(); ++index) {
            try {
                read_plane(index);
            } catch (const FormatError& error) {
                damage_.push_back({error.code(), error.offset(), static_cast<std::int64_t>(index),
                                   error.what()});
            }
        }
    }

    // Without the job's table: finished work planes stand one behind the other from the front.
    void walk_planes() {
        std::uint64_t begin = kHeaderBytes;
        const std::uint64_t size = bytes().size();
        std::string why = "the file ends";
        while (begin < size) {
            try {
                check_layer_count(layers_.size(), begin);
                layers_.push_back({.offset = begin, .size = size - begin});
                const PlaneParts parts = parts_of(layers_.size() - 1);
                layers_.back().size = parts.table.offset + parts.table.bytes.size() - begin;
                release_.passed(static_cast<std::size_t>(begin));
                begin += layers_.back().size;
            } catch (const FormatError& error) {
                why = error.what();
                if (!layers_.empty() && layers_.back().offset == begin) {
                    layers_.pop_back();
                }
                break;
            }
        }
        if (!read_job_behind(begin)) {
            damage_.push_back({ErrorCode::truncated, std::min(begin, size), -1,
                               std::to_string(layers_.size()) +
                                   " finished work planes were found, and here neither another nor "
                                   "the job's shell: " + why});
        }
    }

    // Whether the job's shell stands at `position`, as it does if the writer got that far.
    bool read_job_behind(std::uint64_t position) {
        try {
            read_job_at(position, std::min<std::uint64_t>(position, bytes().size()));
            if (header_.declared_layers == static_cast<std::int64_t>(layers_.size())) {
                return true;
            }
        } catch (const FormatError&) {
            // It is something else; what it is, nobody can say. The caller notes the place.
        }
        reset_header();
        return false;
    }

    void reset_header() {
        header_ = Header{};
        header_.format = "ovf";
        header_.unit_mm = 1.0;
        zero_keys_ = {};
        warnings_.clear();
    }

    void check_layer_count(std::size_t count, std::uint64_t where) const {
        if (count >= limits_.max_layers) {
            throw FormatError(ErrorCode::limit_exceeded, where,
                              "there are more than max_layers = " +
                                  std::to_string(limits_.max_layers) + " work planes");
        }
    }

    void warn() {
        const auto found = static_cast<std::int64_t>(layers_.size());
        if (header_.declared_layers && *header_.declared_layers != found) {
            warnings_.push_back({ErrorCode::inconsistent, 0, -1,
                                 "the job declares " + std::to_string(*header_.declared_layers) +
                                     " work planes and has " + std::to_string(found)});
        }
        if (moved_planes_ > 0) {
            warnings_.push_back({ErrorCode::unsupported, 0, -1,
                                 std::to_string(moved_planes_) +
                                     " work planes are moved in x or y, or turned: their "
                                     "coordinates are given as they stand in the plane"});
        }
        if (any_number_ && misnumbered_ > 0) {
            warnings_.push_back({ErrorCode::inconsistent, 0, -1,
                                 std::to_string(misnumbered_) +
                                     " work planes have another number than their place"});
        }
    }

    ScanRelease release_;
    ZeroKeys zero_keys_;
    std::uint64_t moved_planes_ = 0;
    std::uint64_t misnumbered_ = 0;
    bool any_number_ = false;
};

}  // namespace

bool recognises_ovf(Bytes bytes) noexcept {
    return bytes.size() >= kMagic.size() &&
           std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
}

std::unique_ptr<BuildReader> open_ovf(Source source, const OpenOptions& options) {
    return std::make_unique<OvfReader>(std::move(source), options);
}

}  // namespace pbf::buildfile
