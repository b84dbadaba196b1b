// CLI+: the commands that bring a build style into force.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "buildfile/cli_header_out.hpp"
#include "buildfile/model.hpp"

namespace pbf::buildfile::cli {

class ProcessWriter {
  public:
    explicit ProcessWriter(const std::vector<BuildStyle>& styles) : styles_(styles) {
        for (const BuildStyle& style : styles_) {
            by_id_.emplace(std::pair(style.model_id, style.build_style_id), &style);
        }
    }
    ProcessWriter(const ProcessWriter&) = delete;
    ProcessWriter& operator=(const ProcessWriter&) = delete;

    // Appends to `out` what has to be said before a geometry with this style.
    void change(std::int32_t model_id, std::int32_t build_style_id, std::string& out,
                const Lose& lose);

  private:
    const BuildStyle* find(std::int32_t model_id, std::int32_t build_style_id) const;
    void put(const std::string& name, const std::string& value, std::string& out);

    const std::vector<BuildStyle> styles_;
    std::map<std::pair<std::int32_t, std::int32_t>, const BuildStyle*> by_id_;
    const BuildStyle* current_ = nullptr;
    std::map<std::string, std::string> in_force_;
};

}  // namespace pbf::buildfile::cli
