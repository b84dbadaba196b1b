// Scan XML: velocity profiles and segment styles as build styles.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <set>

#include "buildfile/amxml.hpp"
#include "core/decimal.hpp"

namespace pbf::buildfile::amxml {
namespace {

std::optional<std::int32_t> whole_number(std::string_view text) {
    std::int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value == kNoId) {
        return std::nullopt;
    }
    return value;
}

// Parameters that no column has keep the format's names and units.
void keep(XmlReader& xml, std::vector<std::pair<std::string, std::string>>& parameters,
          const std::string& prefix = "") {
    std::string name = prefix + std::string(xml.name());
    parameters.emplace_back(std::move(name), std::string(xml.take_text()));
}

std::uint64_t bytes_of(const BuildStyle& style) noexcept {
    std::uint64_t bytes = sizeof style + style.name.size();
    for (const auto& [name, value] : style.parameters) {
        bytes += sizeof style.parameters.front() + name.size() + value.size();
    }
    return bytes;
}

}  // namespace

double number_of(const XmlReader& xml, std::string_view text, const char* what) {
    double value = 0;
    const char* const behind = text.data() + text.size();
    if (text.empty() || parse_decimal(text.data(), behind, value) != behind ||
        !std::isfinite(value)) {
        throw FormatError(ErrorCode::bad_number, xml.text_offset(),
                          std::string(what) + " is no number: '" +
                              std::string(text.substr(0, 40)) + "'");
    }
    return value;
}

double take_number(XmlReader& xml, const char* what) {
    const std::string_view text = xml.take_text();
    return number_of(xml, text, what);
}

std::string snake_case(std::string_view name) {
    std::string out;
    for (std::size_t index = 0; index < name.size(); ++index) {
        const auto letter = static_cast<unsigned char>(name[index]);
        if (std::isupper(letter) != 0 && index > 0 &&
            std::isupper(static_cast<unsigned char>(name[index - 1])) == 0) {
            out.push_back('_');
        }
        out.push_back(static_cast<char>(std::tolower(letter)));
    }
    return out;
}

void StyleLists::read_profiles(XmlReader& xml, const Limits& limits) {
    xml.for_each_child([&] {
        if (xml.name() != "VelocityProfile") {
            xml.skip();
            return;
        }
        if (profiles_.size() >= limits.max_build_styles) {
            xml.fail(ErrorCode::limit_exceeded, "there are more velocity profiles than "
                                                "max_build_styles = " +
                                                    std::to_string(limits.max_build_styles));
        }
        read_profile(xml);
    });
}

void StyleLists::read_profile(XmlReader& xml) {
    const std::uint64_t offset = xml.offset();
    std::optional<std::string> id;
    Profile profile;
    xml.for_each_child([&] {
        const std::string_view name = xml.name();
        if (name == "ID") {
            id = std::string(xml.take_text());
        } else if (name == "Velocity") {
            profile.speed_mm_s = take_number(xml, "Velocity");
        } else if (name == "JumpDelay") {
            profile.jump_delay_us = take_number(xml, "JumpDelay");
        } else {
            keep(xml, profile.parameters);
        }
    });
    if (!id) {
        throw FormatError(ErrorCode::bad_header, offset, "a velocity profile without an ID");
    }
    profiles_.insert_or_assign(std::move(*id), std::move(profile));
}

void StyleLists::read_styles(XmlReader& xml, const Limits& limits) {
    xml.for_each_child([&] {
        if (xml.name() != "SegmentStyle") {
            xml.skip();
            return;
        }
        read_style(xml, limits);
    });
}

void StyleLists::read_style(XmlReader& xml, const Limits& limits) {
    Style style;
    style.offset = xml.offset();
    bool has_id = false;
    xml.for_each_child([&] {
        const std::string_view name = xml.name();
        if (name == "ID") {
            style.id = std::string(xml.take_text());
            has_id = true;
        } else if (name == "VelocityProfileID") {
            style.profile = std::string(xml.take_text());
        } else if (name == "Traveler") {
            style.travelers.push_back(read_traveler(xml));
        } else {
            keep(xml, style.parameters);
        }
    });
    if (!has_id) {
        throw FormatError(ErrorCode::bad_header, style.offset, "a segment style without an ID");
    }
    build_styles_ += std::max<std::size_t>(style.travelers.size(), 1);
    if (build_styles_ > limits.max_build_styles) {
        throw FormatError(ErrorCode::limit_exceeded, style.offset,
                          "there are more segment styles and travelers than max_build_styles = " +
                              std::to_string(limits.max_build_styles));
    }
    styles_.push_back(std::move(style));
}

StyleLists::Traveler StyleLists::read_traveler(XmlReader& xml) {
    Traveler traveler;
    xml.for_each_child([&] {
        const std::string_view name = xml.name();
        if (name == "ID") {
            traveler.id = std::string(xml.take_text());
        } else if (name == "Power") {
            traveler.laser_power_w = take_number(xml, "Power");
        } else if (name == "SpotSize") {
            traveler.spot_size_um = take_number(xml, "SpotSize");
        } else if (name == "Wobble") {
            xml.for_each_child([&] { keep(xml, traveler.parameters, "Wobble"); });
        } else {
            keep(xml, traveler.parameters);
        }
    });
    return traveler;
}

// Lasers have names. A whole number is taken as it is, a letter as its place in the alphabet (a = 1)
// where that is free: so they are the same in all files of a build. What is left gets the next free
// numbers.
std::map<std::string, std::int32_t, std::less<>> StyleLists::number_lasers() const {
    std::map<std::string, std::int32_t, std::less<>> numbers;
    std::set<std::int32_t> taken;
    std::vector<std::string> others;
    for (const Style& style : styles_) {
        for (const Traveler& traveler : style.travelers) {
            if (const auto number = whole_number(traveler.id)) {
                numbers.emplace(traveler.id, *number);
                taken.insert(*number);
            } else if (!traveler.id.empty()) {
                others.push_back(traveler.id);
            }
        }
    }
    std::int32_t next = 1;
    for (const bool letters : {true, false}) {
        for (const std::string& name : others) {
            const auto letter = static_cast<unsigned char>(name.front());
            if ((name.size() == 1 && std::isalpha(letter) != 0) != letters ||
                numbers.contains(name)) {
                continue;
            }
            std::int32_t number = letters ? std::tolower(letter) - 'a' + 1 : next;
            while (taken.contains(number)) {
                number = next++;
            }
            numbers.emplace(name, number);
            taken.insert(number);
        }
    }
    return numbers;
}

SegmentStyles StyleLists::resolve(Header& header, std::uint64_t most_bytes,
                                  std::vector<Damage>& warnings) const {
    std::uint64_t taken = 0;
    const auto lasers = number_lasers();
    for (const auto& [name, number] : lasers) {
        header.metadata.emplace_back("laser_" + std::to_string(number), name);
    }
    SegmentStyles out;
    std::int32_t next = 0;
    for (const Style& style : styles_) {
        SegmentStyle resolved;
        resolved.laser_off = style.travelers.empty();
        const auto profile = profiles_.find(style.profile);
        if (profile == profiles_.end()) {
            warnings.push_back({ErrorCode::inconsistent, style.offset, -1,
                                "segment style '" + style.id +
                                    "' names a velocity profile that is not there: '" +
                                    style.profile + "'"});
        }
        BuildStyle common;
        common.name = style.id;
        common.parameters.emplace_back("VelocityProfileID", style.profile);
        if (profile != profiles_.end()) {
            (resolved.laser_off ? common.jump_speed_mm_s : common.speed_mm_s) =
                profile->second.speed_mm_s;
            common.jump_delay_us = profile->second.jump_delay_us;
            common.parameters.insert(common.parameters.end(), profile->second.parameters.begin(),
                                     profile->second.parameters.end());
        }
        common.parameters.insert(common.parameters.end(), style.parameters.begin(),
                                 style.parameters.end());
        taken += std::max<std::size_t>(style.travelers.size(), 1) * bytes_of(common);
        if (taken > most_bytes) {
            throw FormatError(ErrorCode::limit_exceeded, style.offset,
                              "parameters that many styles share would take more than " +
                                  std::to_string(most_bytes) + " bytes");
        }
        if (resolved.laser_off) {
            common.build_style_id = next++;
            resolved.exposures.push_back({common.build_style_id, kNoId});
            header.build_styles.push_back(std::move(common));
        } else {
            for (const Traveler& traveler : style.travelers) {
                BuildStyle one = common;
                one.build_style_id = next++;
                const auto laser = lasers.find(traveler.id);
                one.laser_id = laser == lasers.end() ? kNoId : laser->second;
                one.laser_power_w = traveler.laser_power_w;
                one.spot_size_um = traveler.spot_size_um;
                one.parameters.insert(one.parameters.end(), traveler.parameters.begin(),
                                      traveler.parameters.end());
                resolved.exposures.push_back({one.build_style_id, one.laser_id});
                header.build_styles.push_back(std::move(one));
            }
        }
        if (!out.emplace(style.id, std::move(resolved)).second) {
            warnings.push_back({ErrorCode::inconsistent, style.offset, -1,
                                "segment style '" + style.id + "' comes twice: the first counts"});
        }
    }
    return out;
}

std::int32_t model_of(ModelIds& ids, std::string_view name, Header& header, const Limits& limits,
                      std::uint64_t offset) {
    const auto found = ids.find(name);
    if (found != ids.end()) {
        return found->second;
    }
    if (ids.size() >= limits.max_models) {
        throw FormatError(ErrorCode::limit_exceeded, offset,
                          "there are more tags than max_models = " +
                              std::to_string(limits.max_models));
    }
    const auto id = static_cast<std::int32_t>(ids.size());
    ids.emplace(name, id);
    Model model;
    model.model_id = id;
    model.name = std::string(name);
    header.models.push_back(std::move(model));
    return id;
}

}  // namespace pbf::buildfile::amxml
