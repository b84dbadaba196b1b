// MTT and SLM: a header, layers one after the other, and a table of their positions and heights.
#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>
#include <string>

#include "buildfile/coordinates.hpp"
#include "buildfile/formats.hpp"
#include "buildfile/layer_index.hpp"
#include "buildfile/tlv_checksum.hpp"
#include "buildfile/tlv_header.hpp"
#include "buildfile/tlv_section.hpp"
#include "buildfile/tlv_table.hpp"

namespace pbf::buildfile {
namespace {

using namespace tlv;

struct GeometryTag {
    std::uint64_t tag;
    std::uint64_t coordinates;
    Kind kind;
    std::size_t item_bytes;  // a point, or a vector of two
    const char* items;
};

constexpr GeometryTag kGeometryTags[] = {
    {kPolygon, kPolygonCoordinates, Kind::contour, 8, "points of a polygon"},
    {kHatch, kHatchCoordinates, Kind::hatch, 16, "hatch vectors"},
    {kPointSequence, kPointCoordinates, Kind::points, 8, "points"},
};

const GeometryTag* geometry_tag(std::uint64_t tag) noexcept {
    const auto found = std::find_if(std::begin(kGeometryTags), std::end(kGeometryTags),
                                    [tag](const GeometryTag& one) { return one.tag == tag; });
    return found == std::end(kGeometryTags) ? nullptr : found;
}

bool is_coordinates(std::uint64_t tag) noexcept {
    return tag == kPolygonCoordinates || tag == kHatchCoordinates || tag == kPointCoordinates;
}

class TlvReader final : public BuildReader {
  public:
    TlvReader(Source source, const OpenOptions& options)
        : BuildReader(std::move(source), options.limits),
          tolerate_(options.tolerate_damage),
          parser_(limits_, tolerate_, header_, damage_, warnings_) {
        read_header();
        read_beside();
        name_format();
        if (!parser_.z_units_per_mm || *parser_.z_units_per_mm == 0) {
            warnings_.push_back({ErrorCode::bad_header, 0, -1,
                                 "the file does not say what its heights are in: they are left out"});
        }
        read_layers();
        sample_unknown_tags();
        if (table_end_ != 0) {
            check_checksum(bytes(), table_end_, header_, warnings_);
        }
    }

  protected:
    void decode_layer(std::size_t index, Geometries& out) const override {
        const LayerInfo& layer = layers_[index];
        ByteReader file(bytes().subspan(layer.offset, layer.size), layer.offset);
        const Section section = read_section(file);
        if (section.tag != kLayer) {
            throw FormatError(ErrorCode::bad_command, section.offset, "no layer begins here");
        }
        const Geometries::Mark begin = out.mark();
        ByteReader reader = section.reader();
        while (!reader.at_end()) {
            const Section one = read_section(reader);
            if (const GeometryTag* const known = geometry_tag(one.tag)) {
                decode_geometry(static_cast<std::int32_t>(index), *known, one, begin, out);
            }
        }
    }

  private:
    void read_header() {
        ByteReader reader(bytes());
        if (reader.at_end() || read_number(reader, "the header") != kHeader) {
            throw FormatError(ErrorCode::bad_magic, 0, "the file does not begin with a header (tag 1)");
        }
        const std::uint64_t length = read_number(reader, "the length of the header");
        const std::uint64_t payload = reader.file_offset();
        if (length > reader.remaining() && tolerate_) {
            damage_.push_back({ErrorCode::truncated, payload, -1, "the file ends within its header"});
        }
        const std::uint64_t taken = tolerate_ ? std::min<std::uint64_t>(length, reader.remaining())
                                              : length;
        const Bytes held = reader.take(taken, "the header");
        if (held.size() > limits_.max_header_bytes) {
            throw FormatError(ErrorCode::limit_exceeded, 0,
                              "a header of " + std::to_string(length) +
                                  " bytes is more than max_header_bytes = " +
                                  std::to_string(limits_.max_header_bytes));
        }
        parser_.header({kHeader, 0, held, payload});
        layers_begin_ = payload + taken;
    }

    // SLM files have more between the header and the layers.
    void read_beside() {
        ByteReader reader(bytes());
        reader.seek(layers_begin_, "the layers");
        std::uint64_t length = 0;
        try {
            while (!reader.at_end()) {
                const Section section = read_section(reader);
                if (section.tag == kLayer || section.tag == kLayerTable ||
                    section.tag == kChecksum) {
                    return;
                }
                length += section.end() - section.offset;
                if (length > limits_.max_header_bytes) {
                    throw FormatError(ErrorCode::limit_exceeded, section.offset,
                                      "before the layers are more than max_header_bytes = " +
                                          std::to_string(limits_.max_header_bytes) + " bytes");
                }
                parser_.beside(section);
                layers_begin_ = section.end();
            }
        } catch (const FormatError& error) {
            if (!tolerate_ || error.code() == ErrorCode::limit_exceeded) {
                throw;
            }
            // A layer that is cut off is damage too, but of that layer: reading it says so.
            if (reader.file_offset() == layers_begin_ || !layer_at(bytes(), layers_begin_, false)) {
                damage_.push_back({error.code(), error.offset(), -1, error.what()});
            }
        }
    }

    void name_format() {
        std::string ident;
        for (const auto& [key, value] : header_.metadata) {
            if (key == "file_ident") {
                ident = value;
            }
        }
        std::transform(ident.begin(), ident.end(), ident.begin(), [](unsigned char letter) {
            return static_cast<char>(std::tolower(letter));
        });
        const bool slm = ident.find("mtt") == std::string::npos &&
                         (ident.find("slm") != std::string::npos || parser_.only_slm);
        header_.format = slm ? "slm" : "mtt";
        header_.unit_mm = 1.0;
    }

    void read_layers() {
        if (!parser_.table_position) {
            warnings_.push_back({ErrorCode::bad_header, 0, -1,
                                 "the header does not say where the table of layers is"});
            recover(LayerTable(source(), limits_, parser_.z_units_per_mm));
            return;
        }
        const LayerTable table(source(), limits_, parser_.z_units_per_mm);
        try {
            LayerTable::Content content =
                table.read(*parser_.table_position, parser_.table_position_offset);
            note_order(content.entries, warnings_);
            header_.declared_layers = static_cast<std::int64_t>(content.entries.size());
            layers_ = std::move(content.layers);
            table_end_ = content.end;
        } catch (const FormatError& error) {
            if (!tolerate_ || error.code() == ErrorCode::limit_exceeded) {
                throw;
            }
            damage_.push_back({error.code(), error.offset(), -1, error.what()});
            recover(table);
        }
    }

    void recover(const LayerTable& table) {
        std::vector<Damage> damage;
        layers_ = table.recover(layers_begin_, parser_.table_position, damage);
        if (!tolerate_ && !damage.empty()) {
            throw FormatError(damage[0].code, damage[0].offset, damage[0].message);
        }
        damage_.insert(damage_.end(), damage.begin(), damage.end());
    }


    void decode_geometry(std::int32_t layer, const GeometryTag& known, const Section& section,
                         Geometries::Mark begin, Geometries& out) const {
        std::int32_t model_id = kNoId;
        std::int32_t build_style_id = kNoId;
        std::size_t blocks = 0;
        for (ByteReader reader = section.reader(); !reader.at_end();) {
            const Section one = read_section(reader);
            if (one.tag == kModelReference) {
                ByteReader ids = one.reader();
                model_id = id_of(read_number(ids, "a model id"), one.payload_offset);
                build_style_id = id_of(read_number(ids, "a build style id"), one.payload_offset);
            } else if (is_coordinates(one.tag)) {
                if (one.tag != known.coordinates) {
                    throw FormatError(ErrorCode::bad_command, one.offset,
                                      "coordinates of tag " + std::to_string(one.tag) +
                                          " are not those of a geometry of tag " +
                                          std::to_string(section.tag));
                }
                ++blocks;
            }
        }
        const auto add = [&](std::size_t points) {
            const auto id = static_cast<std::int32_t>(out.layer.size() - begin.geometries);
            return out.add(layer, id, known.kind, model_id, build_style_id, kNoId,
                           known.kind == Kind::contour ? Closed::no : Closed::unknown, points);
        };
        if (blocks == 0) {
            check_layer_limits(out, begin, 0, section.offset);
            add(0);
            return;
        }
        // One block per geometry is what is known; were there more, each is a geometry.
        for (ByteReader reader = section.reader(); !reader.at_end();) {
            const Section one = read_section(reader);
            if (one.tag != known.coordinates) {
                continue;
            }
            if (one.payload.size() % known.item_bytes != 0) {
                throw FormatError(ErrorCode::bad_count, one.offset,
                                  std::to_string(one.payload.size()) + " bytes are no whole " +
                                      known.items + " of " + std::to_string(known.item_bytes) +
                                      " bytes each");
            }
            const std::size_t points = one.payload.size() / 8;
            check_layer_limits(out, begin, points, one.offset);
            const Geometries::Points to = add(points);
            read_points<float>(one.payload, one.payload_offset, 1.0, to.x, to.y);
            if (known.kind == Kind::contour && points > 2 && to.x[0] == to.x[points - 1] &&
                to.y[0] == to.y[points - 1]) {
                out.set_last_closed(Closed::yes);
            }
        }
    }

    // Sections of layers that nobody knows: one of each kind, from the first layers, to be looked at.
    void sample_unknown_tags() {
        constexpr std::size_t kLayers = 8;
        std::set<std::string> seen;
        const auto unknown = [&](const Section& section, const std::string& path) {
            if (seen.size() < 64 && seen.insert(path + std::to_string(section.tag)).second) {
                parser_.keep(header_.raw_tags, path, section);
            }
        };
        const std::string path(kLayerPath);
        for (std::size_t layer = 0; layer < std::min(layers_.size(), kLayers); ++layer) {
            try {
                ByteReader file(bytes().subspan(layers_[layer].offset, layers_[layer].size),
                                layers_[layer].offset);
                const Section section = read_section(file);
                for (ByteReader reader = section.reader(); !reader.at_end();) {
                    const Section one = read_section(reader);
                    if (geometry_tag(one.tag) == nullptr) {
                        unknown(one, path);
                        continue;
                    }
                    for (ByteReader inner = one.reader(); !inner.at_end();) {
                        const Section part = read_section(inner);
                        if (part.tag != kModelReference && !is_coordinates(part.tag)) {
                            unknown(part, path + std::to_string(one.tag) + "/");
                        }
                    }
                }
            } catch (const FormatError&) {
                continue;  // reading the layer says what is wrong with it
            }
        }
    }

    bool tolerate_;
    HeaderParser parser_;
    std::uint64_t layers_begin_ = 0;
    std::uint64_t table_end_ = 0;
};

}  // namespace

bool recognises_tlv(Bytes bytes) noexcept {
    // The header, and in it first one of the sections that headers are known to begin with.
    if (bytes.size() < 4 || bytes[0] != kHeader) {
        return false;
    }
    const std::size_t first = 2 + (bytes[1] >> 5);
    if (first + 1 >= bytes.size()) {
        return false;
    }
    switch (bytes[first]) {
        case kFileIdent:
        case kVersion:
        case kTablePosition:
        case kModel:
        case kZUnit: break;
        default: return false;
    }
    // Its length has to be one that the header holds.
    const std::size_t length_bytes = 1 + (bytes[first + 1] >> 5);
    if (first + 1 + length_bytes > bytes.size()) {
        return false;
    }
    try {
        ByteReader reader(bytes.subspan(1));
        const std::uint64_t header = read_number(reader, "a length");
        reader.skip(1, "a tag");
        return read_number(reader, "a length") < header;
    } catch (const FormatError&) {
        return false;
    }
}

std::unique_ptr<BuildReader> open_tlv(Source source, const OpenOptions& options) {
    return std::make_unique<TlvReader>(std::move(source), options);
}

}  // namespace pbf::buildfile
