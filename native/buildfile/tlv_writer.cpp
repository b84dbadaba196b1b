// Writes MTT and SLM files: header, layers as they come, the table of layers at the end.
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "buildfile/formats.hpp"
#include "buildfile/options.hpp"
#include "buildfile/tlv_header.hpp"
#include "buildfile/tlv_section.hpp"
#include "core/shortest.hpp"
#include "core/utf16.hpp"

namespace pbf::buildfile {
namespace {

using namespace tlv;
using Buffer = std::vector<std::uint8_t>;

// A height this near to a whole unit is one that only a float32 on the way has moved.
constexpr double kNear = 0.05;

Buffer ascii(std::string_view text) {
    Buffer out(text.begin(), text.end());
    out.push_back(0);
    return out;
}

const std::string* value_of(const Header& header, std::string_view key) {
    for (const auto& [name, value] : header.metadata) {
        if (name == key) {
            return &value;
        }
    }
    return nullptr;
}

class TlvWriter final : public BuildWriter {
  public:
    TlvWriter(ByteSink& sink, const WriteOptions& options, std::string variant)
        : sink_(sink), variant_(std::move(variant)) {
        for (const auto& [name, value] : options) {
            if (name == "z_units_per_mm") {
                z_units_per_mm_ = whole(positive_option(name, value), "z_units_per_mm");
                z_units_given_ = true;
            } else if (name == "lengths" && (value == "long" || value == "short")) {
                sections_ = SectionWriter(value == "long");
            } else {
                unknown_option("MTT and SLM", name);
            }
        }
    }

    void begin(const Header& header) override {
        if (variant_.empty()) {
            variant_ = header.format == "slm" ? "slm" : "mtt";
        }
        if (const std::string* const units = value_of(header, "z_units_per_mm");
            units != nullptr && !z_units_given_) {
            z_units_per_mm_ = whole(positive_option("z_units_per_mm", *units), "z_units_per_mm");
        }
        Buffer payload;
        put_ident(payload, header);
        sections_.number_section(payload, kZUnit, z_units_per_mm_);
        // Known only at the end: the long form has room for every position.
        Buffer position;
        SectionWriter::number(position, 0, true);
        sections_.section(payload, kTablePosition, position);
        const std::size_t position_at = payload.size() - position.size();
        put_texts(payload, header);
        put_raw(payload, header.raw_tags, kHeaderPath);
        for (const Model& model : header.models) {
            put_model(payload, header, model);
        }
        for (const BuildStyle& style : header.build_styles) {
            if (find_model(header, style.model_id) == nullptr) {
                lose("build styles of no model");
            }
        }
        Buffer file;
        SectionWriter::number(file, kHeader);
        SectionWriter::number(file, payload.size(), true);  // as the real ones do
        table_position_at_ = file.size() + position_at;
        file.insert(file.end(), payload.begin(), payload.end());
        sink_.write(file.data(), file.size());
    }

    void layer(const LayerView& layer) override {
        layers_.push_back({sink_.position(), height(layer.z_mm)});
        payload_.clear();
        for (std::size_t row = 0; row < layer.kind.size(); ++row) {
            geometry(layer, row);
        }
        Buffer start;
        sections_.open(start, kLayer, payload_.size());
        sink_.write(start.data(), start.size());
        sink_.write(payload_.data(), payload_.size());
    }

    void finish() override {
        Buffer position;
        SectionWriter::number(position, sink_.position(), true);
        Buffer entries;
        for (const auto& [offset, z] : layers_) {
            Buffer entry;
            sections_.number_section(entry, kLayerPosition, offset);
            sections_.number_section(entry, kLayerZ, z);
            sections_.section(entries, kLayerTableEntry, entry);
        }
        Buffer table;
        sections_.section(table, kLayerTable, entries);
        sink_.write(table.data(), table.size());
        sink_.patch(table_position_at_, position.data(), position.size());
    }

  private:
    struct Written {
        std::uint64_t offset;
        std::uint64_t z;
    };

    [[noreturn]] void refuse(const std::string& what) const {
        throw FormatError(ErrorCode::not_representable, sink_.position(), what);
    }

    std::uint64_t whole(double value, const char* what) const {
        if (!(value >= 0.0 && value <= static_cast<double>(kLargestNumber >> 1) &&
              value == std::floor(value))) {
            refuse(std::string(what) + " is " + shortest_text(value) +
                   ", and the format holds whole numbers from 0");
        }
        return static_cast<std::uint64_t>(value);
    }

    std::uint64_t rounded(double value, const char* what) {
        const double near = std::nearbyint(value);
        if (std::isfinite(value) && std::fabs(value - near) > kNear) {
            lose(std::string(what) + " between whole units");
        }
        return whole(near, what);
    }

    std::uint64_t height(double z_mm) {
        if (std::isnan(z_mm)) {
            refuse("layer " + std::to_string(layers_.size()) +
                   " has no height, and the table of layers needs one");
        }
        return rounded(z_mm * static_cast<double>(z_units_per_mm_), "heights of layers");
    }

    std::uint64_t id(std::int32_t value, const char* what) const {
        if (value < 0) {
            refuse(std::string(what) + " is " + std::to_string(value) +
                   ", and the format holds none below 0");
        }
        return static_cast<std::uint64_t>(value);
    }

    static const Model* find_model(const Header& header, std::int32_t model_id) {
        for (const Model& model : header.models) {
            if (model.model_id == model_id && model_id != kNoId) {
                return &model;
            }
        }
        return nullptr;
    }

    void put_ident(Buffer& to, const Header& header) {
        const std::string* const ident =
            header.format == variant_ ? value_of(header, "file_ident") : nullptr;
        const std::string own = variant_ == "mtt" ? "MTT-LayerFile" : "SLM-LayerFile";
        sections_.section(to, kFileIdent, ascii(ident != nullptr ? *ident : own));
        Buffer version;
        const std::string* const said =
            header.format == variant_ ? value_of(header, "version") : nullptr;
        const std::string text = said != nullptr ? *said : "1.2";
        const std::size_t dot = text.find('.');
        for (const std::string& part : {text.substr(0, dot), text.substr(dot + 1)}) {
            double number = 0.0;
            const auto [end, error] =
                std::from_chars(part.data(), part.data() + part.size(), number);
            if (dot == std::string::npos || error != std::errc() ||
                end != part.data() + part.size()) {
                refuse("the version is '" + text + "', and has to be two numbers as in 1.2");
            }
            SectionWriter::number(version, whole(number, "the version"));
        }
        sections_.section(to, kVersion, version);
    }

    void put_texts(Buffer& to, const Header& header) {
        for (const auto& [key, value] : header.metadata) {
            for (const TextTag& known : kTextTags) {
                if (known.key == key && known.tag != kFileIdent) {
                    sections_.section(to, known.tag,
                                      known.utf16 ? utf16_from_utf8(value) : ascii(value));
                }
            }
            if (key == "build_info") {
                sections_.number_section(
                    to, kBuildInfoNumber,
                    whole(value == "0" ? 0.0 : positive_option(key, value), "build_info"));
            }
        }
    }

    void put_raw(Buffer& to, const std::vector<RawTag>& tags, std::string_view path) {
        for (const RawTag& tag : tags) {
            const std::string number =
                tag.path.starts_with(path) ? tag.path.substr(path.size()) : std::string();
            std::uint64_t value = 0;
            const auto [end, error] =
                std::from_chars(number.data(), number.data() + number.size(), value);
            if (number.empty() || error != std::errc() || end != number.data() + number.size() ||
                value > kLargestNumber) {
                lose("the raw tag " + tag.path);
                continue;
            }
            sections_.section(to, value, tag.bytes);
        }
    }

    void put_model(Buffer& to, const Header& header, const Model& model) {
        if (model.model_id == kNoId) {
            lose("models without an id");
            return;
        }
        Buffer payload;
        sections_.number_section(payload, kModelId, id(model.model_id, "a model id"));
        sections_.section(payload, kModelName, utf16_from_utf8(model.name));
        if (model.top_layer) {
            sections_.number_section(
                payload, kModelTopLayer,
                whole(static_cast<double>(*model.top_layer), "the top layer of a model"));
        }
        for (const auto& [tag, key] : {std::pair{kStyleFamily, kFamilyKey},
                                       std::pair{kStyleFamilyDescription, kFamilyDescriptionKey}}) {
            if (const auto* const text = value_of(header, model_key(model.model_id, key))) {
                sections_.section(payload, tag, utf16_from_utf8(*text));
            }
        }
        put_raw(payload, model.raw_tags, kModelPath);
        if (&model == find_model(header, model.model_id)) {  // of two of one id, the first has them
            for (const BuildStyle& style : header.build_styles) {
                if (style.model_id == model.model_id) {
                    put_style(payload, style);
                }
            }
        }
        sections_.section(to, kModel, payload);
    }

    void put_style(Buffer& to, const BuildStyle& style) {
        Buffer payload;
        if (style.build_style_id == kNoId) {
            lose("build styles without an id");
            return;
        }
        sections_.number_section(payload, kBuildStyleId,
                                 id(style.build_style_id, "a build style id"));
        const auto put_float = [&](Tag tag, const std::optional<double>& value) {
            if (!value) {
                return;
            }
            const auto single = static_cast<float>(*value);
            if (!std::isfinite(single)) {
                refuse("a build style has the value " + shortest_text(*value) +
                       ", which no float32 holds");
            }
            const auto bytes = std::bit_cast<std::array<std::uint8_t, 4>>(single);
            sections_.section(payload, tag, bytes);
        };
        put_float(kLaserSpeed, style.speed_mm_s);
        put_float(kLaserPower, style.laser_power_w);
        put_float(kLaserFocus, style.focus_mm);
        if (style.point_distance_um) {
            sections_.number_section(payload, kPointDistance,
                                     rounded(*style.point_distance_um, "point distances"));
        }
        if (style.exposure_time_us) {
            sections_.number_section(payload, kPointExposureTime,
                                     rounded(*style.exposure_time_us, "exposure times"));
        }
        if (!style.description.empty()) {
            sections_.section(payload, kStyleDescription, utf16_from_utf8(style.description));
        }
        put_raw(payload, style.raw_tags, kStylePath);
        sections_.section(to, kBuildStyle, payload);
        // What libSLM's model has, and no public tag.
        if (style.laser_id != kNoId) {
            lose("which laser a build style uses");
        }
        if (!style.name.empty()) {
            lose("names of build styles");
        }
        if (style.point_delay_us || style.jump_speed_mm_s || style.jump_delay_us ||
            style.spot_size_um || !style.parameters.empty()) {
            lose("delays, jumps, spot size and further parameters of build styles");
        }
    }

    void geometry(const LayerView& layer, std::size_t row) {
        const auto kind = static_cast<Kind>(layer.kind[row]);
        if (layer.laser_id[row] != kNoId) {
            lose("which laser a geometry belongs to");
        }
        if (kind == Kind::jump) {
            lose("jumps");
            return;
        }
        const auto first = static_cast<std::size_t>(layer.offset[row]);
        const auto points = static_cast<std::size_t>(layer.count[row]);
        if (kind == Kind::hatch && points % 2 != 0) {
            refuse("hatches of " + std::to_string(points) + " points: each vector has two");
        }
        Buffer reference;
        if (layer.model_id[row] != kNoId) {
            Buffer ids;
            SectionWriter::number(ids, id(layer.model_id[row], "a model id"));
            if (layer.build_style_id[row] == kNoId) {
                lose("that geometries have no build style: it is 0 now");
                SectionWriter::number(ids, 0);
            } else {
                SectionWriter::number(ids, id(layer.build_style_id[row], "a build style id"));
            }
            sections_.section(reference, kModelReference, ids);
        } else if (layer.build_style_id[row] != kNoId) {
            lose("build styles of geometries without a model");
        }
        const auto [outer, inner] =
            kind == Kind::hatch     ? std::pair{kHatch, kHatchCoordinates}
            : kind == Kind::contour ? std::pair{kPolygon, kPolygonCoordinates}
                                    : std::pair{kPointSequence, kPointCoordinates};
        sections_.open(reference, inner, 8 * points);
        sections_.open(payload_, outer, reference.size() + 8 * points);
        payload_.insert(payload_.end(), reference.begin(), reference.end());
        std::size_t at = payload_.size();
        payload_.resize(at + 8 * points);
        for (std::size_t point = first; point < first + points; ++point) {
            const float x = layer.x_mm[point];
            const float y = layer.y_mm[point];
            if (!std::isfinite(x) || !std::isfinite(y)) {
                refuse("a coordinate is not finite");
            }
            std::memcpy(payload_.data() + at, &x, sizeof x);
            std::memcpy(payload_.data() + at + sizeof x, &y, sizeof y);
            at += 8;
        }
    }

    ByteSink& sink_;
    std::string variant_;
    SectionWriter sections_{false};
    std::uint64_t z_units_per_mm_ = 1000;
    bool z_units_given_ = false;
    std::uint64_t table_position_at_ = 0;
    std::vector<Written> layers_;
    Buffer payload_;
};

}  // namespace

std::unique_ptr<BuildWriter> make_tlv_writer(ByteSink& sink, const WriteOptions& options) {
    return std::make_unique<TlvWriter>(sink, options, "");
}

std::unique_ptr<BuildWriter> make_mtt_writer(ByteSink& sink, const WriteOptions& options) {
    return std::make_unique<TlvWriter>(sink, options, "mtt");
}

std::unique_ptr<BuildWriter> make_slm_writer(ByteSink& sink, const WriteOptions& options) {
    return std::make_unique<TlvWriter>(sink, options, "slm");
}

}  // namespace pbf::buildfile
