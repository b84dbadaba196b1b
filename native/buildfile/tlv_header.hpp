// The header of an MTT or SLM file: models, build styles, what the build processor left there.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "buildfile/reader.hpp"
#include "buildfile/tlv_section.hpp"

namespace pbf::buildfile::tlv {

// Paths of raw tags of unknown meaning: one of these, then the number of the tag.
inline constexpr std::string_view kHeaderPath = "header/";
inline constexpr std::string_view kModelPath = "header/model/";
inline constexpr std::string_view kStylePath = "header/model/build_style/";
inline constexpr std::string_view kFilePath = "file/";
inline constexpr std::string_view kLayerPath = "layer/";

// Keys of metadata that say something of one model: "model_" id, then one of these.
inline constexpr std::string_view kFamilyKey = "_build_style_family";
inline constexpr std::string_view kFamilyDescriptionKey = "_build_style_family_description";
std::string model_key(std::int64_t model_id, std::string_view key);

// Tags that are known, and hold text.
struct TextTag {
    std::uint64_t tag;
    std::string_view key;  // of metadata
    bool utf16;
};
inline constexpr TextTag kTextTags[] = {
    {kFileIdent, "file_ident", false},
    {kUid, "uid", false},
    {kMaterial, "material", true},
    {kBuildProcessorName, "build_processor", true},
    {kBuildProcessorVersion, "build_processor_version", true},
    {kBuildProcessorTime, "build_processor_time", false},
    {kBuildProcessorInfo, "build_processor_info", true},
};

// Reads header sections into a Header. Sections that cannot be read as what they should be are warnings
// and kept raw, unless an id or a length is wrong: that is damage.
class HeaderParser {
  public:
    HeaderParser(const Limits& limits, bool tolerate_damage, Header& header,
                 std::vector<Damage>& damage, std::vector<Damage>& warnings) noexcept
        : limits_(limits),
          tolerate_(tolerate_damage),
          header_(header),
          damage_(damage),
          warnings_(warnings) {}

    // The payload of tag 1.
    void header(const Section& section);
    // A section beside the header, where it is no layer and no table.
    void beside(const Section& section);
    // Keeps a section whose meaning is not known, within bounds.
    void keep(std::vector<RawTag>& tags, std::string_view path, const Section& section);

    std::optional<std::uint64_t> table_position;
    std::uint64_t table_position_offset = 0;
    std::optional<std::uint64_t> z_units_per_mm;
    // A tag was seen that only SLM files are known to have.
    bool only_slm = false;

  private:
    void each(const Section& section, std::uint64_t depth,
              const std::function<void(const Section&)>& visit);
    void header_section(const Section& section, std::uint64_t depth, std::string_view path);
    void model(const Section& section, std::uint64_t depth);
    void model_section(const Section& section, std::uint64_t depth, Model& model,
                       std::string& family, std::string& family_description);
    void style(const Section& section, std::uint64_t depth);

    std::optional<std::uint64_t> number(const Section& section);
    std::optional<double> float32(const Section& section);
    std::int32_t id(const Section& section);
    std::string text(const Section& section, bool utf16);
    void warn(ErrorCode code, const Section& section, std::string message);

    const Limits& limits_;
    bool tolerate_;
    Header& header_;
    std::vector<Damage>& damage_;
    std::vector<Damage>& warnings_;
    std::uint64_t kept_tags_ = 0;
    std::uint64_t kept_bytes_ = 0;
};

// An id as the columns hold it; throws bad_number at `offset` for one that does not fit.
std::int32_t id_of(std::uint64_t value, std::uint64_t offset);

}  // namespace pbf::buildfile::tlv
