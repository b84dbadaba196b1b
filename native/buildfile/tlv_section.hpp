// The tag-length-value container of MTT and SLM files: its numbers, its sections, its tags.
#pragma once

#include <cstdint>
#include <vector>

#include "core/byte_reader.hpp"

namespace pbf::buildfile::tlv {

// What the tags hold is in docs/formats.md, with how sure it is.
enum Tag : std::uint64_t {
    kHeader = 1,
    kFileIdent = 2,
    kVersion = 3,
    kTablePosition = 4,
    kModel = 5,
    kModelId = 6,
    kModelName = 7,
    kLayerTable = 8,
    kLayerTableEntry = 9,
    kLayer = 10,
    kPolygon = 11,
    kHatch = 12,
    kBuildStyle = 13,
    kBuildStyleId = 14,
    kLaserSpeed = 15,
    kLaserPower = 16,
    kLaserFocus = 17,
    kModelReference = 18,
    kPolygonCoordinates = 19,
    kHatchCoordinates = 20,
    kChecksum = 21,
    kModelTopLayer = 22,
    kLayerPosition = 23,
    kLayerZ = 24,
    kPointDistance = 25,
    kPointExposureTime = 26,
    kZUnit = 27,
    kPointSequence = 28,
    kPointCoordinates = 29,
    kStyleValue = 34,
    kBuildProcessorInfo = 35,
    kMaterial = 36,
    kStyleFamily = 37,
    kStyleFamilyDescription = 39,
    kStyleDescription = 40,
    kBuildInfo = 41,
    kUid = 42,
    kBuildInfoNumber = 43,
    kBuildProcessor = 44,
    kBuildProcessorName = 45,
    kBuildProcessorVersion = 46,
    kBuildProcessorTime = 47,
    kModelValue = 48,
};

struct Section {
    std::uint64_t tag;
    std::uint64_t offset;  // of its tag in the file
    Bytes payload;
    std::uint64_t payload_offset;

    ByteReader reader() const noexcept { return ByteReader(payload, payload_offset); }
    std::uint64_t end() const noexcept { return payload_offset + payload.size(); }
};

// Big-endian; the top three bits of the first byte say how many bytes follow. Writers need not take the
// shortest form, and the real ones do not.
std::uint64_t read_number(ByteReader& reader, const char* what);

// The section at the reader, which moves behind it.
Section read_section(ByteReader& reader);

// Whether the bytes are sections, one after the other, to the end; false for no bytes.
bool holds_sections(const Section& section) noexcept;

// Appends numbers and sections; `long_form` takes eight bytes for each length.
class SectionWriter {
  public:
    explicit SectionWriter(bool long_form) noexcept : long_form_(long_form) {}

    static void number(std::vector<std::uint8_t>& to, std::uint64_t value, bool long_form = false);
    // Tag and length of a section; its payload has to follow.
    void open(std::vector<std::uint8_t>& to, std::uint64_t tag, std::uint64_t length) const;
    void section(std::vector<std::uint8_t>& to, std::uint64_t tag, Bytes payload) const;
    void number_section(std::vector<std::uint8_t>& to, std::uint64_t tag, std::uint64_t value) const;

  private:
    bool long_form_;
};

inline constexpr std::uint64_t kLargestNumber = (std::uint64_t{1} << 61) - 1;

}  // namespace pbf::buildfile::tlv
