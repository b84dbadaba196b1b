// CRC-32 as in zlib, PNG and ZIP (reflected polynomial 0xEDB88320).
#pragma once

#include <cstdint>

#include "core/byte_reader.hpp"

namespace pbf {

// The checksum of what `before` is the checksum of (0: nothing), followed by `bytes`.
std::uint32_t crc32(Bytes bytes, std::uint32_t before = 0) noexcept;

}  // namespace pbf
