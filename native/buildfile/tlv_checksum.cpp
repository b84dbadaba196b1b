#include "buildfile/tlv_checksum.hpp"

#include <optional>
#include <set>

#include "buildfile/layer_index.hpp"
#include "buildfile/tlv_section.hpp"
#include "core/crc32.hpp"

namespace pbf::buildfile::tlv {
namespace {

// What the payload may mean: a number of the container, or four bytes in either order.
std::set<std::uint64_t> readings(const Section& section) {
    std::set<std::uint64_t> out;
    ByteReader reader = section.reader();
    if (!reader.at_end() && reader.remaining() == std::size_t{1} + (section.payload[0] >> 5)) {
        out.insert(read_number(reader, "the checksum"));
    }
    if (section.payload.size() == 4) {
        std::uint32_t forward = 0;
        std::uint32_t backward = 0;
        for (std::size_t byte = 0; byte < 4; ++byte) {
            forward = forward << 8 | section.payload[byte];
            backward = backward << 8 | section.payload[3 - byte];
        }
        out.insert(forward);
        out.insert(backward);
    }
    return out;
}

std::optional<Section> find_checksum(Bytes bytes, std::uint64_t table_end) {
    try {
        ByteReader reader(bytes);
        reader.seek(table_end, "the end of the table of layers");
        while (!reader.at_end()) {
            const Section section = read_section(reader);
            if (section.tag == kChecksum) {
                return section;
            }
        }
    } catch (const FormatError&) {
        return std::nullopt;  // what stands behind the table belongs to no layer
    }
    return std::nullopt;
}

}  // namespace

void check_checksum(Bytes bytes, std::uint64_t table_end, Header& header,
                    std::vector<Damage>& warnings) {
    const std::optional<Section> section = find_checksum(bytes, table_end);
    if (!section) {
        return;
    }
    const auto say = [&header](std::string value) {
        header.metadata.emplace_back("checksum", std::move(value));
    };
    if (bytes.size() > kLookedThroughBytes) {
        say("not checked: the file is larger than 16 MiB");
        return;
    }
    const std::set<std::uint64_t> stored = readings(*section);
    const std::uint32_t before = crc32(bytes.first(section->offset));
    const std::uint32_t with_tag = crc32(
        bytes.subspan(section->offset, section->payload_offset - section->offset), before);
    if (stored.contains(before) || stored.contains(with_tag)) {
        say("CRC-32 of everything before it");
        return;
    }
    say("not understood");
    warnings.push_back({ErrorCode::inconsistent, section->offset, -1,
                        "the checksum is not the CRC-32 of what stands before it; what it covers "
                        "is not public, so that this need not be damage"});
}

}  // namespace pbf::buildfile::tlv
