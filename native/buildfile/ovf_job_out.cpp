// OVF, written: a header as the job's shell.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

#include "buildfile/ovf.hpp"

namespace pbf::buildfile::ovf {
namespace {

constexpr std::string_view kKeptMetadata[] = {"job_creation_time_s", "version", "job_name",
                                              "author", "description"};

// How another file was written, which says nothing of the build: left out without a word.
constexpr std::string_view kOfTheFile[] = {"encoding",     "align",  "units_mm",
                                           "dimension_mm", "layers", "block_offset"};

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::string_view text_of(const RawTag& tag) noexcept {
    return {reinterpret_cast<const char*>(tag.bytes.data()), tag.bytes.size()};
}

void put_raw(const std::vector<RawTag>& tags, std::string_view path, WireWriter& to,
             const JobLosses& lose) {
    for (const RawTag& tag : tags) {
        if (tag.path.starts_with(path)) {
            to.raw(text_of(tag));
        } else {
            lose("raw bytes " + tag.path);
        }
    }
}

WireWriter job_meta(const Header& header, const WireWriter& bounds) {
    WireWriter meta;
    for (const auto& [key, value] : header.metadata) {
        if (key == kKeptMetadata[0]) {
            if (const auto number = number_of<std::int64_t>(value)) {
                meta.signed_number(job::kCreated, *number);
            }
        } else if (key == kKeptMetadata[1]) {
            if (const auto number = number_of<std::uint64_t>(value)) {
                meta.unsigned_number(job::kVersion, *number);
            }
        } else if (key == kKeptMetadata[2]) {
            meta.text(job::kName, value);
        } else if (key == kKeptMetadata[3]) {
            meta.text(job::kAuthor, value);
        } else if (key == kKeptMetadata[4]) {
            meta.text(job::kDescription, value);
        }
    }
    if (!bounds.bytes().empty()) {
        meta.message(job::kBounds, bounds);
    }
    return meta;
}

bool put_parameter(const Parameter& parameter, const std::string& value, WireWriter& to) {
    switch (parameter.type) {
        case ParameterType::float32:
            if (const auto number = number_of<float>(value)) {
                to.float32(parameter.number, *number);
                return true;
            }
            break;
        case ParameterType::unsigned_number:
            if (const auto number = number_of<std::uint64_t>(value)) {
                to.unsigned_number(parameter.number, *number);
                return true;
            }
            break;
        case ParameterType::signed_number:
            if (const auto number = number_of<std::int64_t>(value)) {
                to.signed_number(parameter.number, *number);
                return true;
            }
            break;
    }
    return false;
}

WireWriter marking_params(const BuildStyle& style, const JobLosses& lose) {
    WireWriter params;
    for (const StyleField& field : kStyleFields) {
        if (const std::optional<double>& value = style.*field.column) {
            const auto rounded = static_cast<float>(*value);
            if (!std::isfinite(rounded)) {
                throw FormatError(ErrorCode::not_representable, 0,
                                  "a marking parameter of " + std::to_string(*value) +
                                      " is no 32-bit float");
            }
            params.float32(field.number, rounded);
        }
    }
    WireWriter gradient;
    for (const auto& given : style.parameters) {
        const auto* known = std::find_if(
            std::begin(kParameters), std::end(kParameters),
            [&](const Parameter& parameter) { return parameter.name == given.first; });
        if (known == std::end(kParameters) ||
            !put_parameter(*known, given.second, known->parent == 0 ? params : gradient)) {
            lose("parameter " + given.first);
        }
    }
    if (!gradient.bytes().empty()) {
        params.message(kPowerGradient, gradient);
    }
    if (!style.name.empty()) {
        params.text(kParamsName, style.name);
    }
    put_raw(style.raw_tags, kRawParams, params, lose);
    return params;
}

}  // namespace

WireWriter job_shell(const Header& header, const std::vector<std::int32_t>& keys,
                     std::size_t planes, const WireWriter& bounds, const JobLosses& lose) {
    WireWriter shell;
    shell.message(job::kMeta, job_meta(header, bounds));
    for (std::size_t index = 0; index < keys.size(); ++index) {
        WireWriter entry;
        entry.signed_number(1, keys[index]);
        entry.message(2, marking_params(header.build_styles[index], lose));
        shell.message(job::kMarkingParams, entry);
    }
    for (const Model& model : header.models) {
        if (model.model_id == kNoId) {
            continue;
        }
        WireWriter part;
        part.text(kPartName, model.name);
        put_raw(model.raw_tags, kRawPart, part, lose);
        WireWriter entry;
        entry.signed_number(1, model.model_id);
        entry.message(2, part);
        shell.message(job::kParts, entry);
    }
    put_raw(header.raw_tags, kRawJob, shell, lose);
    shell.signed_number(job::kPlaneCount, static_cast<std::int64_t>(planes));
    return shell;
}

void name_job_losses(const Header& header, const JobLosses& lose) {
    for (const BuildStyle& style : header.build_styles) {
        const std::pair<bool, const char*> columns[] = {
            {style.point_distance_um.has_value(), "point_distance_um"},
            {style.point_delay_us.has_value(), "point_delay_us"},
            {style.spot_size_um.has_value(), "spot_size_um"},
            {style.laser_id != kNoId, "laser_id of build styles"},
            {style.model_id != kNoId, "model_id of build styles"},
            {!style.description.empty(), "description of build styles"},
        };
        for (const auto& column : columns) {
            if (column.first) {
                lose(column.second);
            }
        }
    }
    for (const Model& model : header.models) {
        if (model.model_id == kNoId) {
            lose("models without a number");
        }
    }
    if (header.format == "ovf") {
        return;  // all of its metadata is written, computed anew or among the raw bytes
    }
    const auto has = [](const auto& keys, std::string_view key) {
        return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
    };
    for (const auto& pair : header.metadata) {
        if (!has(kKeptMetadata, pair.first) && !has(kOfTheFile, pair.first)) {
            lose("metadata " + pair.first);
        }
    }
}

}  // namespace pbf::buildfile::ovf
