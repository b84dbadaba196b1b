#include <cmath>
#include <limits>
#include <string>

#include "buildfile/cli.hpp"
#include "buildfile/cli_state.hpp"
#include "buildfile/cli_text.hpp"
#include "buildfile/coordinates.hpp"

namespace pbf::buildfile::cli {
namespace {

constexpr std::int64_t kLowestId = std::int64_t{std::numeric_limits<std::int32_t>::min()} + 1;
constexpr std::int64_t kHighestId = std::numeric_limits<std::int32_t>::max();

bool is_geometry(std::string_view name) noexcept { return name == "POLYLINE" || name == "HATCHES"; }

class AsciiReader final : public CliReader {
  public:
    AsciiReader(std::shared_ptr<const ByteSource> source, const OpenOptions& options,
                const Framing& framing, Header&& header, std::vector<Damage>&& warnings)
        : CliReader(std::move(source), options, framing, std::move(header), std::move(warnings)) {
        index();
        header_.build_styles = states_.build_styles();
        check_declared();
    }

  protected:
    void decode_layer(std::size_t index, Geometries& out) const override {
        const Geometries::Mark begin = out.mark();
        const LayerInfo& layer = layers_[index];
        Text text(bytes(), static_cast<std::size_t>(layer.offset),
                  static_cast<std::size_t>(layer.offset + layer.size));
        ProcessState state;
        if (index < at_layer_.size() && at_layer_[index] != nullptr) {
            state = *at_layer_[index];
        }
        std::int32_t style = states_.id_of(state);
        std::int32_t id = 0;
        while (text.find_command()) {
            const std::size_t offset = text.offset();
            const std::string_view name = text.take_name();
            if (is_geometry(name)) {
                decode_geometry(text, name, offset, begin, static_cast<std::int32_t>(index), id++,
                                style, out);
            } else if (sets_state(name)) {
                take_state(name, text, state);
                style = states_.id_of(state);
            } else if (offset != layer.offset && !tolerate_damage_) {
                throw unknown(name, offset);  // where it is tolerated, opening has noted it
            }
        }
    }

  private:
    static FormatError unknown(std::string_view name, std::size_t offset) {
        return {ErrorCode::bad_command, offset,
                "$$" + std::string(name.substr(0, 32)) + " is no command of a geometry"};
    }

    void decode_geometry(Text& text, std::string_view name, std::size_t offset,
                         Geometries::Mark begin, std::int32_t layer, std::int32_t id,
                         std::int32_t style, Geometries& out) const {
        const bool contour = name == "POLYLINE";
        const auto model =
            static_cast<std::int32_t>(text.take_integer("the id", kLowestId, kHighestId));
        text.expect_comma("the number of points");
        if (contour) {
            (void)text.take_number("the direction");
            text.expect_comma("the number of points");
        }
        const std::int64_t count = text.take_integer("the number of points",
                                                     std::numeric_limits<std::int32_t>::min(),
                                                     kHighestId);
        std::size_t numbers = static_cast<std::size_t>(count) * (contour ? 2 : 4);
        if (tolerate_damage_) {
            numbers = mended(text, offset, layer, count, contour ? 2 : 4, out);
        }
        // Each number takes two bytes at least: its comma and a digit.
        if (count < 0 || numbers > (text.end() - text.offset()) / 2) {
            throw FormatError(ErrorCode::bad_count, offset,
                              std::to_string(count) + (contour ? " points" : " hatch vectors") +
                                  " cannot be in " + std::to_string(text.end() - text.offset()) +
                                  " bytes");
        }
        check_layer_limits(out, begin, numbers / 2, offset);
        const Geometries::Points to =
            out.add(layer, id, contour ? Kind::contour : Kind::hatch, model, style, kNoId,
                    Closed::unknown, numbers / 2);
        for (std::size_t point = 0; point < numbers / 2; ++point) {
            to.x[point] = coordinate(text);
            to.y[point] = coordinate(text);
        }
        if (text.take_further()) {  // a comma behind the last number says nothing
            throw FormatError(ErrorCode::inconsistent, offset,
                              "there are more numbers than the count of " + std::to_string(count) +
                                  (contour ? " points" : " hatch vectors") + " says");
        }
        if (contour) {
            out.set_last_closed(closedness(out));
        }
    }

    // Some writers count wrongly: what is there is taken, if it is whole points (or vectors).
    static std::size_t mended(const Text& text, std::size_t offset, std::int32_t layer,
                              std::int64_t count, std::size_t each, Geometries& out) {
        const std::size_t numbers = text.count_commas();
        if (count >= 0 && numbers != static_cast<std::size_t>(count) * each &&
            numbers % each == 0) {
            out.mended.push_back({ErrorCode::inconsistent, offset, layer,
                                  "the count is " + std::to_string(count) + ", read were the " +
                                      std::to_string(numbers / each) + " that are there"});
            return numbers;
        }
        return static_cast<std::size_t>(count) * each;
    }

    float coordinate(Text& text) const {
        text.expect_comma("a coordinate");
        const std::size_t offset = text.offset();
        const float value = in_mm(text.take_number("a coordinate"), framing_.unit_mm);
        if (not_finite(value)) {
            throw FormatError(ErrorCode::bad_number, offset, "a coordinate is too large");
        }
        return value;
    }

    // Finds the layers, and what is in force where each begins.
    void index() {
        ScanRelease scan(source());
        Text text(bytes(), framing_.geometry, bytes().size());
        ProcessState state;
        bool has_state = false;
        bool changed = false;
        bool found = false;
        bool started = false;
        bool ended = false;
        while (!ended && text.find_command()) {
            const std::size_t offset = text.offset();
            const std::string_view name = text.take_name();
            found = true;
            try {
                if (name == "LAYER") {
                    begin_layer(offset, height(text));
                    if (has_state) {
                        at_layer_.resize(layers_.size() - 1);
                        at_layer_.push_back(states_.keep(state, limits_, offset));
                    }
                } else if (is_geometry(name)) {
                    if (layers_.empty()) {
                        throw FormatError(ErrorCode::bad_command, offset,
                                          "a geometry before any layer");
                    }
                    has_geometry();
                    if (changed) {
                        states_.number(state, limits_, offset);
                        changed = false;
                    }
                } else if (sets_state(name)) {
                    take_state(name, text, state);
                    has_state = changed = true;
                } else if (name == "GEOMETRYEND") {
                    end_layers(offset);
                    ended = true;
                    warn_of_second_geometry(text.offset());
                } else if (name != "GEOMETRYSTART" || !layers_.empty()) {
                    throw unknown(name, offset);
                } else if (started) {
                    warn(ErrorCode::inconsistent, offset, "$$GEOMETRYSTART stands there twice");
                } else {
                    started = true;
                }
            } catch (const FormatError& error) {
                damaged(error);
            }
            scan.passed(offset);
        }
        if (!found) {
            refuse_binary();
        }
        if (const auto hiding = text.hiding_comment()) {
            warn(ErrorCode::inconsistent, *hiding,
                 "a comment runs over lines, and commands in it are not read: it ends at the next //");
        }
        if (!ended) {
            end_layers(bytes().size());
            warn(ErrorCode::truncated, bytes().size(), "there is no $$GEOMETRYEND");
        }
    }

    // Throws (or notes) that no command follows the header, but something else does.
    void refuse_binary() {
        Text text(bytes(), framing_.geometry, bytes().size());
        text.skip_blank();
        if (!text.at_end()) {
            damaged(FormatError(ErrorCode::bad_command, text.offset(),
                                "the header says $$ASCII, and no command follows: binary geometry?"));
        }
    }

    double height(Text& text) {
        const std::size_t offset = text.offset();
        try {
            const double z_mm = text.take_number("the height of a layer") * framing_.unit_mm;
            if (std::isfinite(z_mm)) {
                text.expect_last("the height of a layer");
                return z_mm;
            }
            throw FormatError(ErrorCode::bad_number, offset, "the height of a layer is too large");
        } catch (const FormatError& error) {
            damaged(error);
            return std::numeric_limits<double>::quiet_NaN();
        }
    }

    ProcessStates states_;
    // What is in force where each layer begins; null, or nothing at all, before the first such command.
    std::vector<const ProcessState*> at_layer_;
};

}  // namespace

std::unique_ptr<BuildReader> open_ascii(std::shared_ptr<const ByteSource> source,
                                        const OpenOptions& options, const Framing& framing,
                                        Header&& header, std::vector<Damage>&& warnings) {
    return std::make_unique<AsciiReader>(std::move(source), options, framing, std::move(header),
                                         std::move(warnings));
}

}  // namespace pbf::buildfile::cli
