// EOS SLI: an index of layers at the end, layers of polylines and hatches in unsigned 16-bit units.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "buildfile/coordinates.hpp"
#include "buildfile/formats.hpp"
#include "buildfile/layer_index.hpp"
#include "buildfile/sli_layout.hpp"
#include "core/shortest.hpp"

namespace pbf::buildfile {
namespace {

using namespace sli;

// Reads the records of a layer that begins where `reader` stands, and stops behind its end. `record` is
// called as record(kind, count) with the reader before the coordinates, and has to take them.
template <typename Record>
std::uint16_t read_records(ByteReader& reader, Record record) {
    if (reader.peek<std::uint8_t>("a layer") != kLayerStart) {
        reader.fail(ErrorCode::bad_command, "no layer begins here");
    }
    reader.skip(1, "a layer");
    const auto z = reader.read<std::uint16_t>("the height of a layer");
    reader.skip(kLayerStartBytes - 3, "the beginning of a layer");
    while (true) {
        const auto opcode = reader.peek<std::uint8_t>("the next record of a layer");
        if (opcode == kLayerEnd) {
            reader.skip(1, "the end of a layer");
            return z;
        }
        if (opcode != kPolyline && opcode != kHatches) {
            reader.fail(ErrorCode::bad_command,
                        "within a layer, " + std::to_string(opcode) + " is no opcode");
        }
        reader.skip(2, "a record");  // the opcode, and a flag that is 0 in all real files
        const auto count = reader.read<std::uint16_t>("the count of a record");
        record(opcode == kPolyline ? Kind::contour : Kind::hatch, count);
    }
}

Bytes take_coordinates(ByteReader& reader, Kind kind, std::uint16_t count) {
    return kind == Kind::contour ? reader.take_items(count, 4, "points")
                                 : reader.take_items(count, 8, "hatch vectors");
}

class SliReader final : public BuildReader {
  public:
    SliReader(Source source, const OpenOptions& options)
        : BuildReader(std::move(source), options.limits) {
        read_header();
        try {
            read_index();
        } catch (const FormatError& error) {
            if (!options.tolerate_damage || error.code() == ErrorCode::limit_exceeded) {
                throw;
            }
            damage_.push_back({error.code(), error.offset(), -1, error.what()});
            recover();
        }
        check_version();
        check_totals();
    }

  protected:
    void decode_layer(std::size_t index, Geometries& out) const override {
        const LayerInfo& layer = layers_[index];
        ByteReader reader(bytes().subspan(layer.offset, layer.size), layer.offset);
        const Geometries::Mark begin = out.mark();
        std::int32_t id = 0;
        read_records(reader, [&](Kind kind, std::uint16_t count) {
            const std::uint64_t offset = reader.file_offset();
            const Bytes taken = take_coordinates(reader, kind, count);
            const std::size_t points = taken.size() / 4;
            check_layer_limits(out, begin, points, offset);
            const std::uint8_t* const first = taken.data();
            const bool closed = points > 2 && std::memcmp(first, first + 4 * (points - 1), 4) == 0;
            const auto to = out.add(static_cast<std::int32_t>(index), id++, kind, kNoId, kNoId, kNoId,
                                    kind == Kind::hatch ? Closed::unknown
                                    : closed            ? Closed::yes
                                                        : Closed::no,
                                    points);
            read_points<std::uint16_t>(taken, offset, unit_mm_, to.x, to.y);
        });
    }

  private:
    std::uint32_t header_number(std::uint64_t at) const noexcept {
        return load<std::uint32_t>(bytes().data() + at, 0);
    }

    // Whether the block of information can begin here.
    bool informs(std::uint64_t at) const noexcept {
        if (bytes().size() < kInfoBytes || at > bytes().size() - kInfoBytes) {
            return false;
        }
        const float unit = load<float>(bytes().data() + at + kUnitIn, 0);
        // Also of the largest coordinate, the millimetres are a float32.
        return std::isfinite(unit) && unit > 0.0F && unit < 1e6F;
    }

    // Whether a name of a creator can stand here: text, with NULs or spaces behind it.
    bool names_creator(std::uint64_t at) const noexcept {
        const Bytes name = bytes().subspan(at, kCreatorBytes);
        return std::all_of(name.begin(), name.end(),
                           [](std::uint8_t letter) { return letter == 0 || letter >= ' '; });
    }

    // Whether HeaderSize is added to the first offset too was only seen where both readings agree.
    std::uint64_t find_info(std::uint64_t relative) const noexcept {
        const bool fixed = informs(kFixedBytes);
        if (!informs(relative) ||
            (fixed && !names_creator(relative) && names_creator(kFixedBytes))) {
            return kFixedBytes;
        }
        return relative;
    }

    void read_header() {
        ByteReader reader(bytes());
        if (!recognises_sli(bytes())) {
            reader.fail(ErrorCode::bad_magic, "an SLI file begins with 'EOS 1993 SLI FILE'");
        }
        reader.take(kFixedBytes, "the header");
        version_ = load<std::uint16_t>(bytes().data() + kVersionAt, 0);
        base_ = header_number(kHeaderSizeAt);
        info_ = find_info(base_ + header_number(kInfoAt));
        if (!informs(info_)) {
            if (bytes().size() < kFixedBytes + kInfoBytes) {
                throw FormatError(ErrorCode::truncated, bytes().size(),
                                  "the file ends within its header");
            }
            throw FormatError(ErrorCode::bad_header, info_ + kUnitIn,
                              "the unit is no length in millimetres");
        }
        slices_ = base_ + header_number(kSlicesAt);
        index_ = base_ + header_number(kIndexAt);
        layer_count_ = header_number(info_ + kLayersIn);
        unit_mm_ = shortest_value(load<float>(bytes().data() + info_ + kUnitIn, 0));
        describe();
    }

    void describe() {
        header_.format = "sli";
        header_.unit_mm = unit_mm_;
        header_.declared_layers = layer_count_;
        const auto* const creator = reinterpret_cast<const char*>(bytes().data() + info_);
        std::string_view name(creator, kCreatorBytes);
        name = name.substr(0, name.find('\0'));
        name = name.substr(0, name.find_last_not_of(' ') + 1);
        header_.metadata = {
            {"version", std::to_string(version_)},
            {"creator", std::string(name)},
            {"header_bytes", std::to_string(base_)},
            {"layers", std::to_string(layer_count_)},
            {"polylines", std::to_string(header_number(info_ + kPolylinesIn))},
            {"points", std::to_string(header_number(info_ + kPointsIn))},
        };
        float box[6];
        std::memcpy(box, bytes().data() + info_ + kBoxIn, sizeof box);
        if (std::all_of(box, box + 6, [](float value) { return std::isfinite(value); })) {
            header_.dimension_mm = {box[0], box[2], box[4], box[1], box[3], box[5]};
        } else {
            warnings_.push_back({ErrorCode::bad_number, info_ + kBoxIn, -1,
                                 "the declared bounding box is not finite"});
        }
        const std::uint64_t first = info_ + kInfoBytes;
        if (slices_ > first && slices_ <= bytes().size() &&
            slices_ - first <= std::min<std::uint64_t>(limits_.max_header_bytes, 1U << 20)) {
            const Bytes block = bytes().subspan(first, slices_ - first);
            header_.metadata.emplace_back("block_offset", std::to_string(header_number(kBlockAt)));
            header_.raw_tags.push_back({std::string(kBlockPath), first,
                                        std::vector<std::uint8_t>(block.begin(), block.end())});
        }
    }

    IndexEntry entry(std::uint64_t number) const noexcept {
        const std::uint64_t at = index_ + kEntryBytes * number;
        return {base_ + load<std::uint32_t>(bytes().data() + at + 2, 0),
                load<std::uint16_t>(bytes().data() + at, 0) * unit_mm_, at};
    }

    bool layer_begins(std::uint64_t offset) const noexcept {
        return offset >= kFixedBytes && offset < bytes().size() && bytes()[offset] == kLayerStart;
    }

    void check_layer_count() const {
        if (layer_count_ > limits_.max_layers) {
            throw FormatError(ErrorCode::limit_exceeded, info_ + kLayersIn,
                              std::to_string(layer_count_) + " layers are more than max_layers = " +
                                  std::to_string(limits_.max_layers));
        }
    }

    void read_index() {
        const std::uint64_t size = bytes().size();
        if (index_ > size || layer_count_ > (size - index_) / kEntryBytes) {
            throw FormatError(ErrorCode::truncated, size,
                              "the index of " + std::to_string(layer_count_) +
                                  " layers begins at byte " + std::to_string(index_) +
                                  ", and the file ends before its end");
        }
        check_layer_count();
        std::vector<IndexEntry> entries;
        entries.reserve(layer_count_);
        ScanRelease behind(source());
        for (std::uint64_t number = 0; number < layer_count_; ++number) {
            entries.push_back(entry(number));
            const IndexEntry& added = entries.back();
            if (!layer_begins(added.layer_offset)) {
                throw FormatError(ErrorCode::bad_offset, added.entry_offset,
                                  "the index says that layer " + std::to_string(number) +
                                      " begins at byte " + std::to_string(added.layer_offset) +
                                      ", and none does");
            }
            behind.passed(static_cast<std::size_t>(added.layer_offset));
        }
        layers_ = bounded(entries);
        check_disjoint(entries, layers_);
        note_order(entries, warnings_);
        const std::uint64_t end = index_ + kEntryBytes * layer_count_;
        if (end != size) {
            warnings_.push_back({ErrorCode::inconsistent, end, -1,
                                 std::to_string(size - end) + " bytes stand behind the index"});
        }
    }

    // A layer ends where the next in the file begins, or the index, or the file.
    std::vector<LayerInfo> bounded(const std::vector<IndexEntry>& entries) const {
        std::vector<std::uint64_t> ends;
        ends.reserve(entries.size() + 2);
        for (const IndexEntry& one : entries) {
            ends.push_back(one.layer_offset);
        }
        ends.push_back(index_);
        ends.push_back(bytes().size());
        std::sort(ends.begin(), ends.end());
        std::vector<LayerInfo> out;
        out.reserve(entries.size());
        for (const IndexEntry& one : entries) {
            const auto end = std::upper_bound(ends.begin(), ends.end(), one.layer_offset);
            out.push_back({one.z_mm, one.layer_offset, *end - one.layer_offset});
        }
        return out;
    }

    void recover() {
        warnings_.clear();
        const std::uint64_t size = bytes().size();
        std::vector<IndexEntry> entries;
        const std::uint64_t whole = index_ < size ? (size - index_) / kEntryBytes : 0;
        for (std::uint64_t number = 0; number < std::min<std::uint64_t>(layer_count_, whole);
             ++number) {
            const IndexEntry one = entry(number);
            if (layer_begins(one.layer_offset)) {
                entries.push_back(one);
            }
        }
        std::uint64_t start = std::max<std::uint64_t>(slices_, kFixedBytes);
        for (const IndexEntry& one : entries) {
            start = std::min(start, one.layer_offset);
        }
        ScanRelease behind(source());
        layers_ = recover_layers(
            start, size, std::move(entries), limits_.max_layers,
            [&](std::uint64_t position) {
                behind.passed(static_cast<std::size_t>(position));
                return position == index_ ? Step{std::nullopt, size} : step(position, size);
            },
            damage_);
        if (layers_.size() != layer_count_) {
            warnings_.push_back({ErrorCode::inconsistent, info_ + kLayersIn, -1,
                                 std::to_string(layer_count_) + " layers are declared, " +
                                     std::to_string(layers_.size()) + " were found"});
        }
    }

    Step step(std::uint64_t position, std::uint64_t stop) const {
        ByteReader reader(bytes().subspan(position, stop - position), position);
        if (reader.peek<std::uint8_t>("a layer") != kLayerStart) {
            reader.fail(ErrorCode::bad_command, "no layer begins here");
        }
        LayerInfo layer{.offset = position};
        if (reader.remaining() >= kLayerStartBytes) {
            // Without the index only this is left, which some programs round.
            layer.z_mm = load<std::uint16_t>(bytes().data() + position + 1, 0) * unit_mm_;
        }
        try {
            read_records(reader, [&](Kind kind, std::uint16_t count) {
                (void)take_coordinates(reader, kind, count);
            });
        } catch (const FormatError&) {
            return {layer, stop, true};  // reading the layer says what is wrong
        }
        return {layer, reader.file_offset()};
    }

    // Another version is read if everything that can be checked is as in 1.03.
    void check_version() {
        if (version_ == kVersion) {
            return;
        }
        bool sound = damage_.empty() && !layers_.empty();
        for (std::size_t layer = 0; sound && layer < layers_.size(); ++layer) {
            const LayerInfo& one = layers_[layer];
            sound = !step(one.offset, one.offset + one.size).damaged;
        }
        const std::string said = "the file says that it is SLI version " + std::to_string(version_) +
                                 ", only 103 is known";
        if (!sound) {
            throw FormatError(ErrorCode::unsupported, kVersionAt, said);
        }
        warnings_.push_back({ErrorCode::unsupported, kVersionAt, -1,
                             said + "; its structure is that of 103"});
    }

    void check_totals() {
        if (bytes().size() > kLookedThroughBytes || !damage_.empty()) {
            return;
        }
        std::uint64_t polylines = 0;
        std::uint64_t points = 0;
        for (const LayerInfo& layer : layers_) {
            ByteReader reader(bytes().subspan(layer.offset, layer.size), layer.offset);
            try {
                read_records(reader, [&](Kind kind, std::uint16_t count) {
                    points += take_coordinates(reader, kind, count).size() / 4;
                    polylines += kind == Kind::contour ? 1 : 0;
                });
            } catch (const FormatError&) {
                return;  // totals of a damaged file say nothing; reading the layer says what is wrong
            }
        }
        check_total("polylines", info_ + kPolylinesIn, polylines);
        check_total("points", info_ + kPointsIn, points);
    }

    void check_total(const char* what, std::uint64_t at, std::uint64_t found) {
        const std::uint32_t declared = header_number(at);
        if (declared != found) {
            warnings_.push_back({ErrorCode::inconsistent, at, -1,
                                 std::to_string(declared) + " " + what + " are declared, " +
                                     std::to_string(found) + " were found"});
        }
    }

    std::uint16_t version_ = 0;
    std::uint64_t base_ = 0;
    std::uint64_t info_ = 0;
    std::uint64_t slices_ = 0;
    std::uint64_t index_ = 0;
    std::uint32_t layer_count_ = 0;
    double unit_mm_ = 0.0;
};

}  // namespace

bool recognises_sli(Bytes bytes) noexcept {
    return bytes.size() >= kMagic.size() &&
           std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

std::unique_ptr<BuildReader> open_sli(Source source, const OpenOptions& options) {
    return std::make_unique<SliReader>(std::move(source), options);
}

}  // namespace pbf::buildfile
