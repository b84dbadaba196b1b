#include "buildfile/tlv_header.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/shortest.hpp"
#include "core/utf16.hpp"

namespace pbf::buildfile::tlv {
namespace {

// Unknown sections are kept to be looked at: some of them, and none that is a bulk of data.
constexpr std::uint64_t kMostTags = 4096;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20;
// Of a kind of warning; damaged files could have one per byte.
constexpr std::size_t kMostWarnings = 100;

}  // namespace

std::string model_key(std::int64_t model_id, std::string_view key) {
    const std::string model = model_id == kNoId ? "model" : "model_" + std::to_string(model_id);
    return model + std::string(key);
}

std::int32_t id_of(std::uint64_t value, std::uint64_t offset) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
        throw FormatError(ErrorCode::bad_number, offset,
                          "the id " + std::to_string(value) + " is larger than 32 bits hold");
    }
    return static_cast<std::int32_t>(value);
}

void HeaderParser::warn(ErrorCode code, const Section& section, std::string message) {
    if (warnings_.size() < kMostWarnings) {
        warnings_.push_back({code, section.offset, -1,
                             "tag " + std::to_string(section.tag) + " " + std::move(message)});
    }
}

void HeaderParser::keep(std::vector<RawTag>& tags, std::string_view path, const Section& section) {
    if (kept_tags_ >= kMostTags || section.payload.size() > kMostBytes - kept_bytes_) {
        warn(ErrorCode::limit_exceeded, section, "is unknown, and not kept: there are too many");
        return;
    }
    ++kept_tags_;
    kept_bytes_ += section.payload.size();
    tags.push_back({std::string(path) + std::to_string(section.tag), section.offset,
                    std::vector<std::uint8_t>(section.payload.begin(), section.payload.end())});
}

// Sections within a section. Damage in one is thrown, or noted: then the others are read.
void HeaderParser::each(const Section& section, std::uint64_t depth,
                        const std::function<void(const Section&)>& visit) {
    if (depth >= limits_.max_nesting) {
        throw FormatError(ErrorCode::limit_exceeded, section.offset,
                          "sections are nested deeper than max_nesting = " +
                              std::to_string(limits_.max_nesting));
    }
    ByteReader reader = section.reader();
    while (!reader.at_end()) {
        std::optional<Section> found;
        try {
            found = read_section(reader);
            visit(*found);
        } catch (const FormatError& error) {
            if (!tolerate_ || error.code() == ErrorCode::limit_exceeded) {
                throw;
            }
            damage_.push_back({error.code(), error.offset(), -1, error.what()});
            if (!found) {
                return;  // where the next one would begin is unclear
            }
        }
    }
}

void HeaderParser::header(const Section& section) {
    each(section, 1, [this](const Section& one) { header_section(one, 2, kHeaderPath); });
}

void HeaderParser::beside(const Section& section) { header_section(section, 1, kFilePath); }

void HeaderParser::header_section(const Section& section, std::uint64_t depth,
                                  std::string_view path) {
    only_slm = only_slm || (section.tag >= kStyleValue && section.tag <= kModelValue);
    for (const TextTag& known : kTextTags) {
        if (known.tag == section.tag) {
            header_.metadata.emplace_back(known.key, text(section, known.utf16));
            return;
        }
    }
    switch (section.tag) {
        case kVersion: {
            ByteReader reader = section.reader();
            const std::uint64_t major = read_number(reader, "the version");
            const std::uint64_t minor = read_number(reader, "the version");
            header_.metadata.emplace_back("version",
                                          std::to_string(major) + "." + std::to_string(minor));
            return;
        }
        case kZUnit:
            z_units_per_mm = number(section);
            if (z_units_per_mm) {
                header_.metadata.emplace_back("z_units_per_mm", std::to_string(*z_units_per_mm));
            }
            return;
        case kTablePosition: {
            ByteReader reader = section.reader();
            table_position_offset = section.offset;
            table_position = read_number(reader, "the position of the layer table");
            return;
        }
        case kModel: model(section, depth); return;
        case kBuildInfoNumber:
            if (const auto value = number(section)) {
                header_.metadata.emplace_back("build_info", std::to_string(*value));
            }
            return;
        case kBuildInfo:
        case kBuildProcessor:
            // Whether the sections that come with these are within them or follow them is not sure.
            if (holds_sections(section)) {
                each(section, depth,
                     [&](const Section& one) { header_section(one, depth + 1, path); });
                return;
            }
            break;
        default: break;
    }
    keep(header_.raw_tags, path, section);
}

void HeaderParser::model(const Section& section, std::uint64_t depth) {
    if (header_.models.size() >= limits_.max_models) {
        throw FormatError(ErrorCode::limit_exceeded, section.offset,
                          "there are more than max_models = " +
                              std::to_string(limits_.max_models) + " models");
    }
    const std::size_t first_style = header_.build_styles.size();
    Model model;
    std::string family;
    std::string description;
    each(section, depth,
         [&](const Section& one) { model_section(one, depth + 1, model, family, description); });
    // The id may come behind the styles.
    for (std::size_t style = first_style; style < header_.build_styles.size(); ++style) {
        header_.build_styles[style].model_id = model.model_id;
    }
    if (model.model_id == kNoId) {
        warn(ErrorCode::bad_header, section, "is a model without an id");
    }
    if (!family.empty()) {
        header_.metadata.emplace_back(model_key(model.model_id, kFamilyKey), family);
    }
    if (!description.empty()) {
        header_.metadata.emplace_back(model_key(model.model_id, kFamilyDescriptionKey), description);
    }
    header_.models.push_back(std::move(model));
}

void HeaderParser::model_section(const Section& section, std::uint64_t depth, Model& model,
                                 std::string& family, std::string& description) {
    only_slm = only_slm || section.tag == kStyleFamily || section.tag == kStyleFamilyDescription ||
               section.tag == kModelValue;
    switch (section.tag) {
        case kModelId: model.model_id = id(section); break;
        case kModelName: model.name = text(section, true); break;
        case kModelTopLayer:
            if (const auto value = number(section)) {
                model.top_layer = static_cast<std::int64_t>(*value);
            }
            break;
        case kBuildStyle: style(section, depth); break;
        case kStyleFamily: family = text(section, true); break;
        case kStyleFamilyDescription: description = text(section, true); break;
        default: keep(model.raw_tags, kModelPath, section);
    }
}

void HeaderParser::style(const Section& section, std::uint64_t depth) {
    if (header_.build_styles.size() >= limits_.max_build_styles) {
        throw FormatError(ErrorCode::limit_exceeded, section.offset,
                          "there are more than max_build_styles = " +
                              std::to_string(limits_.max_build_styles) + " build styles");
    }
    BuildStyle style;
    const auto whole = [this](const Section& one) -> std::optional<double> {
        const auto value = number(one);
        return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
    };
    each(section, depth, [&](const Section& one) {
        switch (one.tag) {
            case kBuildStyleId: style.build_style_id = id(one); break;
            case kLaserSpeed: style.speed_mm_s = float32(one); break;
            case kLaserPower: style.laser_power_w = float32(one); break;
            case kLaserFocus: style.focus_mm = float32(one); break;
            case kPointDistance: style.point_distance_um = whole(one); break;
            case kPointExposureTime: style.exposure_time_us = whole(one); break;
            case kStyleDescription:
                only_slm = true;
                style.description = text(one, true);
                break;
            default:
                only_slm = only_slm || one.tag == kStyleValue;
                keep(style.raw_tags, kStylePath, one);
        }
    });
    if (style.build_style_id == kNoId) {
        warn(ErrorCode::bad_header, section, "is a build style without an id");
    }
    header_.build_styles.push_back(std::move(style));
}

std::optional<std::uint64_t> HeaderParser::number(const Section& section) {
    ByteReader reader = section.reader();
    if (reader.at_end() || reader.remaining() <= section.payload[0] >> 5) {
        warn(ErrorCode::bad_number, section, "should hold a number, and does not");
        return std::nullopt;
    }
    const std::uint64_t value = read_number(reader, "a number");
    if (!reader.at_end()) {
        warn(ErrorCode::bad_number, section, "holds more than its number");
    }
    return value;
}

std::optional<double> HeaderParser::float32(const Section& section) {
    if (section.payload.size() != sizeof(float)) {
        warn(ErrorCode::bad_number, section, "should hold four bytes, and does not");
        return std::nullopt;
    }
    const float value = load<float>(section.payload.data(), 0);
    if (!std::isfinite(value)) {
        warn(ErrorCode::bad_number, section, "holds no finite number");
        return std::nullopt;
    }
    return shortest_value(value);
}

std::int32_t HeaderParser::id(const Section& section) {
    const auto value = number(section);
    return value ? id_of(*value, section.payload_offset) : kNoId;
}

std::string HeaderParser::text(const Section& section, bool utf16) {
    if (utf16) {
        Utf8Text read = utf8_from_utf16(section.payload);
        if (!read.sound) {
            warn(ErrorCode::bad_text, section, "is no sound UTF-16");
        }
        return std::move(read.text);
    }
    std::string read(section.payload.begin(), section.payload.end());
    if (!read.empty() && read.back() == '\0') {
        read.pop_back();
    }
    return read;
}

}  // namespace pbf::buildfile::tlv
