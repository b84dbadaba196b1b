#include "buildfile/tlv_section.hpp"

#include <bit>

namespace pbf::buildfile::tlv {

std::uint64_t read_number(ByteReader& reader, const char* what) {
    const auto first = reader.peek<std::uint8_t>(what);
    const Bytes bytes = reader.take(std::uint64_t{1} + (first >> 5), what);
    std::uint64_t value = first & 0x1F;
    for (const std::uint8_t byte : bytes.subspan(1)) {
        value = value << 8 | byte;
    }
    return value;
}

Section read_section(ByteReader& reader) {
    Section section{};
    section.offset = reader.file_offset();
    section.tag = read_number(reader, "the tag of a section");
    const std::uint64_t length = read_number(reader, "the length of a section");
    section.payload_offset = reader.file_offset();
    section.payload = reader.take(length, "a section");
    return section;
}

bool holds_sections(const Section& section) noexcept {
    const Bytes bytes = section.payload;
    // By hand, not with read_section: this asks, and an answer of no is no error.
    const auto number = [&bytes](std::size_t& position, std::uint64_t& value) {
        if (position >= bytes.size() || bytes.size() - position <= bytes[position] >> 5) {
            return false;
        }
        ByteReader reader(bytes.subspan(position));
        value = read_number(reader, "a number");
        position += reader.position();
        return true;
    };
    std::size_t position = 0;
    while (position < bytes.size()) {
        std::uint64_t tag = 0;
        std::uint64_t length = 0;
        if (!number(position, tag) || !number(position, length) ||
            length > bytes.size() - position) {
            return false;
        }
        position += static_cast<std::size_t>(length);
    }
    return !bytes.empty();
}

void SectionWriter::number(std::vector<std::uint8_t>& to, std::uint64_t value, bool long_form) {
    const auto bits = static_cast<unsigned>(std::bit_width(value));
    const unsigned follow = long_form ? 7 : bits <= 5 ? 0 : (bits - 5 + 7) / 8;
    to.push_back(static_cast<std::uint8_t>(follow << 5 | value >> (8 * follow)));
    for (unsigned byte = follow; byte-- > 0;) {
        to.push_back(static_cast<std::uint8_t>(value >> (8 * byte)));
    }
}

void SectionWriter::open(std::vector<std::uint8_t>& to, std::uint64_t tag,
                         std::uint64_t length) const {
    number(to, tag);
    number(to, length, long_form_);
}

void SectionWriter::section(std::vector<std::uint8_t>& to, std::uint64_t tag, Bytes payload) const {
    open(to, tag, payload.size());
    to.insert(to.end(), payload.begin(), payload.end());
}

void SectionWriter::number_section(std::vector<std::uint8_t>& to, std::uint64_t tag,
                                   std::uint64_t value) const {
    std::vector<std::uint8_t> payload;
    number(payload, value);
    section(to, tag, payload);
}

}  // namespace pbf::buildfile::tlv
