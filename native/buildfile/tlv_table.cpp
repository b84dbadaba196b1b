#include "buildfile/tlv_table.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace pbf::buildfile::tlv {

std::optional<LayerInfo> layer_at(Bytes bytes, std::uint64_t position, bool whole) noexcept {
    if (position >= bytes.size()) {
        return std::nullopt;
    }
    try {
        ByteReader reader(bytes.subspan(position), position);
        if (read_number(reader, "a tag") != kLayer) {
            return std::nullopt;
        }
        const std::uint64_t length = read_number(reader, "a length");
        if (length <= reader.remaining()) {
            return LayerInfo{.offset = position, .size = reader.position() + length};
        }
    } catch (const FormatError&) {
        return std::nullopt;  // no number, so no layer
    }
    return whole ? std::nullopt
                 : std::optional(LayerInfo{.offset = position, .size = bytes.size() - position});
}

double LayerTable::height(std::uint64_t units) const noexcept {
    return z_units_per_mm_ == 0
               ? std::numeric_limits<double>::quiet_NaN()
               : static_cast<double>(units) / static_cast<double>(z_units_per_mm_);
}

Section LayerTable::section_at(std::uint64_t position, std::uint64_t position_offset) const {
    if (position >= bytes().size()) {
        throw FormatError(ErrorCode::truncated, bytes().size(),
                          "the table of layers should begin at byte " + std::to_string(position) +
                              ", where the file has ended");
    }
    ByteReader reader(bytes().subspan(position), position);
    const std::uint64_t tag = read_number(reader, "the table of layers");
    if (tag != kLayerTable) {
        throw FormatError(ErrorCode::bad_offset, position_offset,
                          "the header says that the table of layers begins at byte " +
                              std::to_string(position) + ", and it does not");
    }
    reader.seek(0, "the table of layers");
    const Section table = read_section(reader);
    if (table.payload.size() > limits_.max_header_bytes) {
        throw FormatError(ErrorCode::limit_exceeded, position,
                          "the table of layers is larger than max_header_bytes = " +
                              std::to_string(limits_.max_header_bytes));
    }
    return table;
}

IndexEntry LayerTable::entry(const Section& section) const {
    std::optional<std::uint64_t> position;
    double z_mm = std::numeric_limits<double>::quiet_NaN();
    ByteReader reader = section.reader();
    while (!reader.at_end()) {
        const Section one = read_section(reader);
        ByteReader value = one.reader();
        if (one.tag == kLayerPosition) {
            position = read_number(value, "the position of a layer");
        } else if (one.tag == kLayerZ) {
            z_mm = height(read_number(value, "the height of a layer"));
        }
    }
    if (!position) {
        throw FormatError(ErrorCode::bad_offset, section.offset,
                          "an entry of the table of layers names no position");
    }
    return {*position, z_mm, section.offset};
}

LayerTable::Content LayerTable::read(std::uint64_t position, std::uint64_t position_offset) const {
    const Section table = section_at(position, position_offset);
    Content out{{}, {}, table.end()};
    ByteReader reader = table.reader();
    ScanRelease behind(source_);
    while (!reader.at_end()) {
        const Section one = read_section(reader);
        if (one.tag != kLayerTableEntry) {
            continue;
        }
        if (out.layers.size() >= limits_.max_layers) {
            throw FormatError(ErrorCode::limit_exceeded, one.offset,
                              "there are more than max_layers = " +
                                  std::to_string(limits_.max_layers) + " layers");
        }
        const IndexEntry added = entry(one);
        const std::optional<LayerInfo> layer = layer_at(bytes(), added.layer_offset, true);
        if (!layer) {
            throw FormatError(ErrorCode::bad_offset, added.entry_offset,
                              "the table says that layer " + std::to_string(out.layers.size()) +
                                  " is at byte " + std::to_string(added.layer_offset) +
                                  ", and no whole layer is");
        }
        out.entries.push_back(added);
        out.layers.push_back({added.z_mm, layer->offset, layer->size});
        behind.passed(static_cast<std::size_t>(added.layer_offset));
    }
    check_disjoint(out.entries, out.layers);
    return out;
}

// Entries of a table at `position` that name a whole layer; none where there is no table. A table that
// is cut off still has its first entries.
std::vector<IndexEntry> LayerTable::believed(std::uint64_t position) const {
    std::vector<IndexEntry> entries;
    try {
        ByteReader reader(bytes());
        reader.seek(std::min<std::uint64_t>(position, bytes().size()), "the table of layers");
        if (read_number(reader, "a tag") != kLayerTable) {
            return entries;
        }
        (void)read_number(reader, "a length");
        while (!reader.at_end() && entries.size() < limits_.max_layers) {
            const Section one = read_section(reader);
            if (one.tag != kLayerTableEntry) {
                return entries;
            }
            try {
                const IndexEntry added = entry(one);
                if (layer_at(bytes(), added.layer_offset, true)) {
                    entries.push_back(added);
                }
            } catch (const FormatError&) {
                continue;  // one that says nothing; the table as a whole is noted as damaged
            }
        }
    } catch (const FormatError&) {
        return entries;  // what came before the damage is what there is
    }
    return entries;
}

Step LayerTable::step(std::uint64_t position) const {
    ByteReader reader(bytes().subspan(position), position);
    const std::optional<LayerInfo> layer = layer_at(bytes(), position, false);
    if (!layer) {
        return {std::nullopt, read_section(reader).end()};
    }
    bool sound = layer_at(bytes(), position, true).has_value();
    if (sound) {
        const Section section = read_section(reader);
        sound = section.payload.empty() || holds_sections(section);
    }
    return {layer, position + layer->size, !sound};
}

std::vector<LayerInfo> LayerTable::recover(std::uint64_t begin,
                                           std::optional<std::uint64_t> position,
                                           std::vector<Damage>& damage) const {
    std::vector<IndexEntry> entries;
    if (position) {
        entries = believed(*position);
    }
    for (const IndexEntry& one : entries) {
        begin = std::min(begin, one.layer_offset);
    }
    std::vector<IndexEntry> found;
    ScanRelease behind(source_);
    std::vector<LayerInfo> layers = recover_layers(
        begin, bytes().size(), std::move(entries), limits_.max_layers,
        [&](std::uint64_t at) {
            behind.passed(static_cast<std::size_t>(at));
            const Step next = step(at);
            if (!next.layer && found.empty()) {
                found = believed(at);
            }
            return next;
        },
        damage);
    std::sort(found.begin(), found.end(), [](const IndexEntry& left, const IndexEntry& right) {
        return left.layer_offset < right.layer_offset;
    });
    for (LayerInfo& layer : layers) {
        const auto named = std::lower_bound(
            found.begin(), found.end(), layer.offset,
            [](const IndexEntry& one, std::uint64_t at) { return one.layer_offset < at; });
        if (named != found.end() && named->layer_offset == layer.offset) {
            layer.z_mm = named->z_mm;
        }
    }
    return layers;
}

}  // namespace pbf::buildfile::tlv
