#include "buildfile/cli_process_out.hpp"

#include <algorithm>

#include "buildfile/cli_text.hpp"
#include "buildfile/cli_text_out.hpp"
#include "core/decimal.hpp"

namespace pbf::buildfile::cli {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string type_of(const std::string& value) {
    double number = 0;
    const char* const last = value.data() + value.size();
    return parse_decimal(value.data(), last, number) == last ? "double" : "string";
}

void add(Settings& out, const char* name, const std::optional<double>& value) {
    if (value) {
        std::string text;
        put_number(text, *value);
        out.emplace_back(name, std::move(text));
    }
}

// The commands of a style, and what of it they cannot say.
Settings settings_of(const BuildStyle& style, const Lose& lose) {
    Settings out;
    add(out, "POWER", style.laser_power_w);
    add(out, "SPEED", style.speed_mm_s);
    add(out, "FOCUS", style.focus_mm);
    add(out, "jump_speed", style.jump_speed_mm_s);
    add(out, "jump_delay", style.jump_delay_us);
    for (const auto& [name, value] : style.parameters) {
        const auto is_plain = [](const std::string& text) {
            return one_line(text) == text && text.find(',') == std::string::npos &&
                   trimmed(text) == text && !text.empty();
        };
        const bool is_command = name == "POWER" || name == "SPEED" || name == "FOCUS";
        if (is_plain(name) && is_plain(value) && !is_command) {
            out.emplace_back(name, value);
        } else {
            lose("parameters of build styles whose text is no CLI text");
        }
    }
    const std::pair<bool, const char*> unsaid[] = {
        {!style.name.empty() || !style.description.empty(), "names of build styles"},
        {style.laser_id != kNoId, "laser_id of build styles"},
        {style.exposure_time_us.has_value(), "exposure_time_us"},
        {style.point_distance_um.has_value(), "point_distance_um"},
        {style.point_delay_us.has_value(), "point_delay_us"},
        {style.spot_size_um.has_value(), "spot_size_um"},
        {!style.raw_tags.empty(), "raw tags of build styles"},
    };
    for (const auto& [is_there, what] : unsaid) {
        if (is_there) {
            lose(what);
        }
    }
    return out;
}

}  // namespace

const BuildStyle* ProcessWriter::find(std::int32_t model_id, std::int32_t build_style_id) const {
    for (const std::int32_t model : {model_id, kNoId}) {
        const auto found = by_id_.find({model, build_style_id});
        if (found != by_id_.end()) {
            return found->second;
        }
    }
    return nullptr;
}

void ProcessWriter::put(const std::string& name, const std::string& value, std::string& out) {
    const auto [place, is_new] = in_force_.emplace(name, value);
    if (!is_new && place->second == value) {
        return;
    }
    place->second = value;
    if (name == "POWER" || name == "SPEED" || name == "FOCUS") {
        out += "$$" + name + '/' + value + '\n';
    } else {
        out += "$$PARAM/" + name + ", " + type_of(value) + ", " + value + '\n';
    }
}

void ProcessWriter::change(std::int32_t model_id, std::int32_t build_style_id, std::string& out,
                           const Lose& lose) {
    const BuildStyle* const style = find(model_id, build_style_id);
    if (style == nullptr && build_style_id != kNoId) {
        lose("ids of build styles that the header does not have");
    }
    if (style == current_) {
        return;
    }
    current_ = style;
    const Settings settings = style == nullptr ? Settings{} : settings_of(*style, lose);
    for (const auto& old : in_force_) {
        const bool stays = std::any_of(settings.begin(), settings.end(),
                                       [&](const auto& one) { return one.first == old.first; });
        if (!stays) {
            lose("that a value is not set any more: " + old.first);
        }
    }
    for (const auto& [name, value] : settings) {
        put(name, value, out);
    }
}

}  // namespace pbf::buildfile::cli
