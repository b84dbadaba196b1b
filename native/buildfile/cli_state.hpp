// CLI+: power, speed and what else is in force, as build styles.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "buildfile/cli_text.hpp"
#include "buildfile/model.hpp"

namespace pbf::buildfile::cli {

// What commands before a geometry have set; each stays until it is set anew, over layers too.
struct ProcessState {
    std::optional<double> power_w;
    std::optional<double> speed_mm_s;
    std::optional<double> focus_mm;
    std::vector<std::pair<std::string, std::string>> parameters;  // sorted by name

    bool empty() const noexcept {
        return !power_w && !speed_mm_s && !focus_mm && parameters.empty();
    }
    bool operator==(const ProcessState&) const = default;
    auto operator<=>(const ProcessState&) const = default;
};

// Whether a command sets the state: POWER, SPEED, FOCUS, PARAM.
bool sets_state(std::string_view name) noexcept;

// Takes the parameters of such a command into the state.
void take_state(std::string_view name, Text& text, ProcessState& state);

// The states of a file, each kept once; those of geometries are numbered from 1 as they appear.
class ProcessStates {
  public:
    // Keeps a state; the pointer stays good. Throws limit_exceeded.
    const ProcessState* keep(const ProcessState& state, const Limits& limits, std::uint64_t offset);
    // Numbers a state, unless it is empty or has a number.
    void number(const ProcessState& state, const Limits& limits, std::uint64_t offset);
    // The number of a state, kNoId if it has none.
    std::int32_t id_of(const ProcessState& state) const;
    std::vector<BuildStyle> build_styles() const;

  private:
    std::map<ProcessState, std::int32_t> ids_;
    std::uint64_t parameters_ = 0;
    std::int32_t numbered_ = 0;
};

}  // namespace pbf::buildfile::cli
