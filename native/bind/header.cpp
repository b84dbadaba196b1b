// Headers as dicts of plain Python values.
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "bind/bind.hpp"

namespace pbf::bind {
namespace {

using namespace pybind11::literals;
using buildfile::BuildStyle;
using buildfile::Header;
using buildfile::kNoId;
using buildfile::Model;
using buildfile::RawTag;
using TextPairs = std::vector<std::pair<std::string, std::string>>;

// Text of files is not always in UTF-8: what is not is from Windows.
py::str text(const std::string& value) {
    const auto size = static_cast<Py_ssize_t>(value.size());
    PyObject* decoded = PyUnicode_DecodeUTF8(value.data(), size, nullptr);
    if (decoded == nullptr) {
        PyErr_Clear();
        decoded = PyUnicode_Decode(value.data(), size, "cp1252", "backslashreplace");
    }
    if (decoded == nullptr) {
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::str>(decoded);
}

py::object id(std::int32_t value) {
    return value == kNoId ? py::object(py::none()) : py::object(py::int_(value));
}

py::list pairs(const TextPairs& values) {
    py::list out;
    for (const auto& [key, value] : values) {
        out.append(py::make_tuple(text(key), text(value)));
    }
    return out;
}

py::list raw_tags(const std::vector<RawTag>& tags) {
    py::list out;
    for (const RawTag& tag : tags) {
        out.append(py::make_tuple(
            text(tag.path), tag.offset,
            py::bytes(reinterpret_cast<const char*>(tag.bytes.data()), tag.bytes.size())));
    }
    return out;
}

std::vector<RawTag> raw_tags_from(const py::dict& from) {
    std::vector<RawTag> out;
    for (const py::handle item : from["raw_tags"]) {
        const auto tag = py::cast<py::tuple>(item);
        const auto bytes = py::cast<std::string>(tag[2]);
        out.push_back({py::cast<std::string>(tag[0]), py::cast<std::uint64_t>(tag[1]),
                       std::vector<std::uint8_t>(bytes.begin(), bytes.end())});
    }
    return out;
}

std::int32_t id_from(const py::dict& from, const char* key) {
    return py::cast<std::optional<std::int32_t>>(from[key]).value_or(kNoId);
}

template <typename T>
void get(const py::dict& from, const char* key, T& value) {
    value = py::cast<T>(from[key]);
}

}  // namespace

py::dict to_python(const Header& header) {
    py::list models;
    for (const Model& model : header.models) {
        models.append(py::dict("model_id"_a = id(model.model_id), "name"_a = text(model.name),
                               "top_layer"_a = model.top_layer,
                               "raw_tags"_a = raw_tags(model.raw_tags)));
    }
    py::list styles;
    for (const BuildStyle& style : header.build_styles) {
        styles.append(py::dict(
            "build_style_id"_a = id(style.build_style_id), "model_id"_a = id(style.model_id),
            "laser_id"_a = id(style.laser_id), "name"_a = text(style.name),
            "description"_a = text(style.description), "laser_power_w"_a = style.laser_power_w,
            "speed_mm_s"_a = style.speed_mm_s, "exposure_time_us"_a = style.exposure_time_us,
            "point_distance_um"_a = style.point_distance_um,
            "point_delay_us"_a = style.point_delay_us, "jump_speed_mm_s"_a = style.jump_speed_mm_s,
            "jump_delay_us"_a = style.jump_delay_us, "focus_mm"_a = style.focus_mm,
            "spot_size_um"_a = style.spot_size_um, "parameters"_a = pairs(style.parameters),
            "raw_tags"_a = raw_tags(style.raw_tags)));
    }
    return py::dict("format"_a = header.format, "metadata"_a = pairs(header.metadata),
                    "models"_a = models, "build_styles"_a = styles, "unit_mm"_a = header.unit_mm,
                    "dimension_mm"_a = header.dimension_mm,
                    "declared_layers"_a = header.declared_layers,
                    "raw_tags"_a = raw_tags(header.raw_tags));
}

Header header_from_python(const py::dict& from) {
    Header header;
    get(from, "format", header.format);
    get(from, "metadata", header.metadata);
    get(from, "unit_mm", header.unit_mm);
    get(from, "dimension_mm", header.dimension_mm);
    get(from, "declared_layers", header.declared_layers);
    header.raw_tags = raw_tags_from(from);
    for (const py::handle item : from["models"]) {
        const auto given = py::cast<py::dict>(item);
        Model model;
        model.model_id = id_from(given, "model_id");
        get(given, "name", model.name);
        get(given, "top_layer", model.top_layer);
        model.raw_tags = raw_tags_from(given);
        header.models.push_back(std::move(model));
    }
    for (const py::handle item : from["build_styles"]) {
        const auto given = py::cast<py::dict>(item);
        BuildStyle style;
        style.build_style_id = id_from(given, "build_style_id");
        style.model_id = id_from(given, "model_id");
        style.laser_id = id_from(given, "laser_id");
        get(given, "name", style.name);
        get(given, "description", style.description);
        get(given, "laser_power_w", style.laser_power_w);
        get(given, "speed_mm_s", style.speed_mm_s);
        get(given, "exposure_time_us", style.exposure_time_us);
        get(given, "point_distance_um", style.point_distance_um);
        get(given, "point_delay_us", style.point_delay_us);
        get(given, "jump_speed_mm_s", style.jump_speed_mm_s);
        get(given, "jump_delay_us", style.jump_delay_us);
        get(given, "focus_mm", style.focus_mm);
        get(given, "spot_size_um", style.spot_size_um);
        get(given, "parameters", style.parameters);
        style.raw_tags = raw_tags_from(given);
        header.build_styles.push_back(std::move(style));
    }
    return header;
}

py::list to_python(const std::vector<buildfile::Damage>& damage) {
    py::list out;
    for (const buildfile::Damage& one : damage) {
        out.append(py::make_tuple(name_of(one.code), one.offset,
                                  one.layer < 0 ? py::object(py::none())
                                                : py::object(py::int_(one.layer)),
                                  text(one.message)));
    }
    return out;
}

}  // namespace pbf::bind
