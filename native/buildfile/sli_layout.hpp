// Where things stand in an EOS SLI file, version 1.03. All numbers are little-endian and packed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pbf::buildfile::sli {

inline constexpr std::string_view kMagic = "EOS 1993 SLI FILE";
inline constexpr std::uint16_t kVersion = 103;

// Of the file. The offsets that stand here count from the end of this header: HeaderSize is added.
inline constexpr std::size_t kVersionAt = 40;
inline constexpr std::size_t kHeaderSizeAt = 44;
inline constexpr std::size_t kInfoAt = 48;
inline constexpr std::size_t kBlockAt = 52;
inline constexpr std::size_t kSlicesAt = 56;
inline constexpr std::size_t kIndexAt = 60;
inline constexpr std::size_t kFixedBytes = 64;

// Of the block of information, which begins behind the fixed header.
inline constexpr std::size_t kCreatorBytes = 40;
inline constexpr std::size_t kLayersIn = 40;
inline constexpr std::size_t kPolylinesIn = 44;
inline constexpr std::size_t kPointsIn = 48;
inline constexpr std::size_t kUnitIn = 84;
inline constexpr std::size_t kBoxIn = 88;  // xmin, xmax, ymin, ymax, zmin, zmax
inline constexpr std::size_t kInfoBytes = 112;

enum Opcode : std::uint8_t { kLayerStart = 1, kLayerEnd = 2, kPolyline = 3, kHatches = 4 };
inline constexpr std::size_t kLayerStartBytes = 12;  // opcode, u16 z, two f32, u8
inline constexpr float kLayerStartValue = 401.8F;    // of those f32, in all real files; meaning unknown

inline constexpr std::size_t kEntryBytes = 6;  // of the index: u16 z, u32 offset

inline constexpr std::string_view kBlockPath = "header/block";  // raw bytes between header and layers

}  // namespace pbf::buildfile::sli
