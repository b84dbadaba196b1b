#include "buildfile/cli_state.hpp"

#include <algorithm>

#include "core/decimal.hpp"

namespace pbf::buildfile::cli {
namespace {

constexpr std::size_t kMostParameters = 256;

std::optional<double> as_number(std::string_view text) noexcept {
    double value = 0;
    const char* const last = text.data() + text.size();
    const char* const behind = parse_decimal(text.data(), last, value);
    if (behind != last || value - value != 0) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

bool sets_state(std::string_view name) noexcept {
    return name == "POWER" || name == "SPEED" || name == "FOCUS" || name == "PARAM";
}

void take_state(std::string_view name, Text& text, ProcessState& state) {
    if (name == "POWER") {
        state.power_w = text.take_number("the laser power");
        text.expect_last("the laser power");
        return;
    }
    if (name == "SPEED") {
        state.speed_mm_s = text.take_number("the scan speed");
        text.expect_last("the scan speed");
        return;
    }
    if (name == "FOCUS") {
        state.focus_mm = text.take_number("the focus");
        text.expect_last("the focus");
        return;
    }
    // name, type, value; what is left out is the type.
    const std::size_t offset = text.offset();
    const std::string_view all = text.take_parameters();
    const std::size_t first = all.find(',');
    const std::size_t last = all.rfind(',');
    const std::string_view key = trimmed(all.substr(0, first));
    if (first == std::string_view::npos || key.empty()) {
        throw FormatError(ErrorCode::bad_command, offset, "$$PARAM has no name and value");
    }
    const std::string_view value = trimmed(all.substr(last + 1));
    auto place = std::lower_bound(state.parameters.begin(), state.parameters.end(), key,
                                  [](const auto& pair, std::string_view name_) {
                                      return pair.first < name_;
                                  });
    if (place != state.parameters.end() && place->first == key) {
        place->second = value;
        return;
    }
    if (state.parameters.size() >= kMostParameters) {
        throw FormatError(ErrorCode::limit_exceeded, offset,
                          "there are more $$PARAM than " + std::to_string(kMostParameters));
    }
    state.parameters.emplace(place, std::string(key), std::string(value));
}

const ProcessState* ProcessStates::keep(const ProcessState& state, const Limits& limits,
                                        std::uint64_t offset) {
    const auto found = ids_.find(state);
    if (found != ids_.end()) {
        return &found->first;
    }
    // Parameters are held once per combination: their sum must be bounded too.
    parameters_ += 1 + state.parameters.size();
    if (ids_.size() >= limits.max_build_styles || parameters_ > 10 * limits.max_build_styles) {
        throw FormatError(ErrorCode::limit_exceeded, offset,
                          "there are more combinations of power, speed, ... than max_build_styles = " +
                              std::to_string(limits.max_build_styles) + " allows");
    }
    return &ids_.emplace(state, kNoId).first->first;
}

void ProcessStates::number(const ProcessState& state, const Limits& limits, std::uint64_t offset) {
    if (state.empty()) {
        return;
    }
    std::int32_t& id = ids_.at(*keep(state, limits, offset));
    if (id == kNoId) {
        id = ++numbered_;
    }
}

std::int32_t ProcessStates::id_of(const ProcessState& state) const {
    const auto found = ids_.find(state);
    return found == ids_.end() ? kNoId : found->second;
}

std::vector<BuildStyle> ProcessStates::build_styles() const {
    std::vector<BuildStyle> styles(static_cast<std::size_t>(numbered_));
    for (const auto& [state, id] : ids_) {
        if (id == kNoId) {
            continue;
        }
        BuildStyle& style = styles[static_cast<std::size_t>(id) - 1];
        style.build_style_id = id;
        style.laser_power_w = state.power_w;
        style.speed_mm_s = state.speed_mm_s;
        style.focus_mm = state.focus_mm;
        for (const auto& [name, value] : state.parameters) {
            const std::optional<double> size = as_number(value);
            if (name == "jump_speed" && size) {
                style.jump_speed_mm_s = size;
            } else if (name == "jump_delay" && size) {
                style.jump_delay_us = size;
            } else {
                style.parameters.emplace_back(name, value);
            }
        }
    }
    return styles;
}

}  // namespace pbf::buildfile::cli
