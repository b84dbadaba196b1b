#include "buildfile/cli_header_out.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "buildfile/cli_text_out.hpp"
#include "buildfile/coordinates.hpp"
#include "core/decimal.hpp"

namespace pbf::buildfile::cli {
namespace {

constexpr std::size_t kNumberWidth = 15;
constexpr std::size_t kLayersWidth = 10;
constexpr std::string_view kDimension = "$$DIMENSION/";
constexpr std::string_view kLayers = "$$LAYERS/";
constexpr std::size_t kDimensionLine = kDimension.size() + 6 * kNumberWidth + 5;

// Keys of metadata that the header says by itself.
constexpr std::array<std::string_view, 5> kOwn = {"encoding", "align", "units_mm", "dimension_mm",
                                                  "layers"};

bool is_digits(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

void put_metadata(std::string& out, const Header& header) {
    bool has_version = false;
    for (const auto& [key, value] : header.metadata) {
        if (std::find(kOwn.begin(), kOwn.end(), key) != kOwn.end()) {
            continue;
        }
        const bool is_version =
            key == "version" && (header.format == "cli" || value == "200") && is_digits(value);
        if (is_version || (key == "date" && is_digits(value))) {
            has_version = has_version || is_version;
            out += (key == "version" ? "$$VERSION/" : "$$DATE/") + value + '\n';
        } else {
            out += "// " + one_line(key) + ": " + one_line(value) + " //\n";
        }
    }
    if (!has_version) {
        out += "$$VERSION/200\n";
    }
}

void put_models(std::string& out, const Header& header, const Lose& lose) {
    for (const Model& model : header.models) {
        const std::string name = one_line(model.name);
        if (name != model.name) {
            lose("characters of a model name");
        }
        if (!model.raw_tags.empty()) {
            lose("raw tags of models");
        }
        out += "$$LABEL/" + std::to_string(model.model_id == kNoId ? 0 : model.model_id) + ",\"" +
               name + "\"\n";
    }
}

void put_user_data(std::string& out, const Header& header, const Lose& lose) {
    constexpr std::string_view kPrefix = "USERDATA/";
    for (const RawTag& tag : header.raw_tags) {
        const std::string_view path = tag.path;
        const std::string_view uid = path.substr(std::min(path.size(), kPrefix.size()));
        if (!path.starts_with(kPrefix) || uid.find_first_of(",\r\n$/") != std::string_view::npos) {
            lose("raw tags");
            continue;
        }
        out += "$$USERDATA/" + std::string(uid) + ',' + std::to_string(tag.bytes.size()) + ',';
        out.append(tag.bytes.begin(), tag.bytes.end());
        out += '\n';
    }
}

}  // namespace

CliVariant variant_from(const WriteOptions& options) {
    CliVariant out;
    for (const auto& [key, value] : options) {
        if (key == "variant" && (value == "binary" || value == "short" || value == "ascii")) {
            out.name = value;
        } else if (key == "align" && (value == "true" || value == "false")) {
            out.align = value == "true";
        } else if (key == "unit_mm") {
            double unit = 0;
            const char* const last = value.data() + value.size();
            if (parse_decimal(value.data(), last, unit) != last || !(unit > 0) ||
                !std::isnormal(static_cast<float>(unit))) {
                throw FormatError(ErrorCode::unsupported, 0, "unit_mm is no length: " + value);
            }
            out.unit_mm = unit;
        } else {
            throw FormatError(ErrorCode::unsupported, 0,
                              "CLI is not written with " + key + " = \"" + value +
                                  "\"; there are variant = binary, short or ascii, unit_mm, and "
                                  "align = true or false");
        }
    }
    if (out.align && out.is_ascii()) {
        throw FormatError(ErrorCode::unsupported, 0, "align is for binary variants");
    }
    return out;
}

void Bounds::layer(double z_mm) noexcept {
    ++layers;
    z = z_mm;
}

void Bounds::shape(std::span<const float> x, std::span<const float> y) {
    z0 = has_shapes ? std::min(z0, z) : z;
    z1 = has_shapes ? std::max(z1, z) : z;
    has_shapes = true;
    if (x.empty()) {
        return;
    }
    if (!has_points) {
        x0 = x1 = x.front();
        y0 = y1 = y.front();
        has_points = true;
    }
    unsigned wrong = 0;
    for (std::size_t point = 0; point < x.size(); ++point) {
        wrong |= unsigned{not_finite(x[point])} | unsigned{not_finite(y[point])};
        x0 = std::min(x0, x[point]);
        x1 = std::max(x1, x[point]);
        y0 = std::min(y0, y[point]);
        y1 = std::max(y1, y[point]);
    }
    if (wrong != 0) {
        throw FormatError(ErrorCode::not_representable, 0, "a coordinate is not a finite number");
    }
}

HeaderPlaces write_header(ByteSink& sink, const Header& header, const CliVariant& variant,
                          double unit_mm, const Lose& lose) {
    HeaderPlaces places;
    std::string out = "$$HEADERSTART\n";
    out += variant.is_ascii() ? "$$ASCII\n" : "$$BINARY\n";
    if (variant.align) {
        out += "$$ALIGN\n";
    }
    out += "$$UNITS/";
    put_number(out, unit_mm);
    out += '\n';
    put_metadata(out, header);
    put_models(out, header, lose);
    places.dimension = sink.position() + out.size();
    out.append(kDimensionLine, ' ');
    out += '\n';
    places.layers = sink.position() + out.size();
    out += kLayers;
    out.append(kLayersWidth, '0');
    out += '\n';
    put_user_data(out, header, lose);
    constexpr std::string_view kEnd = "$$HEADEREND";
    if (variant.align) {
        out.append((4 - (out.size() + kEnd.size()) % 4) % 4, ' ');
    }
    out += kEnd;
    sink.put_text(out);
    return places;
}

void patch_header(ByteSink& sink, const HeaderPlaces& places, const Bounds& bounds) {
    std::string layers = std::to_string(bounds.layers);
    layers.insert(0, kLayersWidth - std::min(kLayersWidth, layers.size()), '0');
    sink.patch(places.layers + kLayers.size(), layers.data(), layers.size());
    if (!bounds.has_points) {
        return;
    }
    std::string line(kDimension);
    bool fits = true;
    for (const double value : {double{bounds.x0}, double{bounds.y0}, bounds.z0, double{bounds.x1},
                               double{bounds.y1}, bounds.z1}) {
        const std::string number = padded(value, kNumberWidth);
        fits = fits && !number.empty();
        line += (line.size() > kDimension.size() ? "," : "") + number;
    }
    if (fits) {
        sink.patch(places.dimension, line.data(), line.size());
    }
}

}  // namespace pbf::buildfile::cli
