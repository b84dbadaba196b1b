#include "core/crc32.hpp"

#include <array>

namespace pbf {
namespace {

// Table k: the checksum of a byte with k zero bytes behind it, so that eight bytes go at once.
constexpr std::array<std::array<std::uint32_t, 256>, 8> kTables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1) != 0 ? 0xEDB88320U ^ value >> 1 : value >> 1;
        }
        tables[0][byte] = value;
    }
    for (std::size_t table = 1; table < 8; ++table) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t value = tables[table - 1][byte];
            tables[table][byte] = tables[0][value & 0xFF] ^ value >> 8;
        }
    }
    return tables;
}();

}  // namespace

std::uint32_t crc32(Bytes bytes, std::uint32_t before) noexcept {
    std::uint32_t value = ~before;
    while (bytes.size() >= 8) {
        const std::uint64_t eight = load<std::uint64_t>(bytes.data(), 0) ^ value;
        value = 0;
        for (std::size_t index = 0; index < 8; ++index) {
            value ^= kTables[7 - index][eight >> (8 * index) & 0xFF];
        }
        bytes = bytes.subspan(8);
    }
    for (const std::uint8_t byte : bytes) {
        value = kTables[0][(value ^ byte) & 0xFF] ^ value >> 8;
    }
    return ~value;
}

}  // namespace pbf
