// Readers: opened from a path or a buffer, read by ranges of layers without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>

#include "bind/bind.hpp"
#include "buildfile/reader.hpp"

namespace pbf::bind {
namespace {

using namespace pybind11::literals;
using buildfile::BuildReader;
using buildfile::Damage;
using buildfile::Geometries;
using buildfile::kNoId;
using buildfile::Limits;
using buildfile::OpenOptions;

// The buffer of a Python object, held for as long as a reader lives.
class PythonBytes final : public ByteSource {
  public:
    explicit PythonBytes(py::buffer_info&& info)
        : ByteSource(Bytes(static_cast<const std::uint8_t*>(info.ptr),
                           static_cast<std::size_t>(info.size * info.itemsize))),
          info_(std::move(info)) {}
    ~PythonBytes() override {
        const py::gil_scoped_acquire gil;
        py::buffer_info released = std::move(info_);
    }

  private:
    py::buffer_info info_;
};

std::shared_ptr<const ByteSource> source_of(const py::buffer& buffer) {
    py::buffer_info info = buffer.request();
    if (info.ndim != 1 || (info.size > 0 && info.strides[0] != info.itemsize)) {
        throw py::type_error("the bytes of a build file are one contiguous piece");
    }
    return std::make_shared<PythonBytes>(std::move(info));
}

// A nullable id column: values, and a validity bitmap where some are null.
struct Nullable {
    Column<std::int32_t> values;
    std::optional<Column<std::uint8_t>> validity;
    std::size_t nulls = 0;

    explicit Nullable(Column<std::int32_t>&& column) : values(std::move(column)) {
        nulls = static_cast<std::size_t>(std::count(values.begin(), values.end(), kNoId));
        if (nulls == 0) {
            return;
        }
        validity.emplace((values.size() + 7) / 8, std::uint8_t{0});
        for (std::size_t row = 0; row < values.size(); ++row) {
            if (values[row] != kNoId) {
                (*validity)[row / 8] |= static_cast<std::uint8_t>(1U << (row % 8));
            } else {
                values[row] = 0;
            }
        }
    }
};

// Arrow's booleans are bits.
struct Booleans {
    Column<std::uint8_t> values;
    Column<std::uint8_t> validity;
    std::size_t nulls = 0;

    explicit Booleans(const Column<std::uint8_t>& closed) {
        values.assign((closed.size() + 7) / 8, 0);
        validity.assign((closed.size() + 7) / 8, 0);
        for (std::size_t row = 0; row < closed.size(); ++row) {
            const auto bit = static_cast<std::uint8_t>(1U << (row % 8));
            if (closed[row] == static_cast<std::uint8_t>(buildfile::Closed::unknown)) {
                ++nulls;
                continue;
            }
            validity[row / 8] |= bit;
            values[row / 8] |= closed[row] != 0 ? bit : std::uint8_t{0};
        }
    }
};

// What a range of layers gives, ready to become Arrow columns.
struct Batch {
    Geometries geometries;
    Column<std::int32_t> layer;
    Column<std::int64_t> first_geometry;
    Column<std::int64_t> geometry_count;
    Column<std::int64_t> first_point;
    Column<std::int64_t> point_count;
    std::vector<Damage> damage;
};

Batch read(const BuildReader& reader, std::size_t start, std::size_t stop, bool skip_damaged) {
    Batch batch;
    std::uint64_t first_byte = reader.source().size();
    std::uint64_t last_byte = 0;
    for (std::size_t index = start; index < stop; ++index) {
        const Geometries::Mark begin = batch.geometries.mark();
        try {
            reader.read_layer(index, batch.geometries);
        } catch (const FormatError& error) {
            if (!skip_damaged) {
                reader.source().check_unchanged();
                throw;
            }
            batch.damage.push_back({error.code(), error.offset(), static_cast<std::int64_t>(index),
                                    error.what()});
        }
        for (Damage& mended : batch.geometries.mended) {
            batch.damage.push_back(std::move(mended));
        }
        batch.geometries.mended.clear();
        const Geometries::Mark end = batch.geometries.mark();
        batch.layer.push_back(static_cast<std::int32_t>(index));
        batch.first_geometry.push_back(static_cast<std::int64_t>(begin.geometries));
        batch.geometry_count.push_back(static_cast<std::int64_t>(end.geometries - begin.geometries));
        batch.first_point.push_back(static_cast<std::int64_t>(begin.points));
        batch.point_count.push_back(static_cast<std::int64_t>(end.points - begin.points));
        const buildfile::LayerInfo& info = reader.layers()[index];
        first_byte = std::min(first_byte, info.offset);
        last_byte = std::max(last_byte, info.offset + info.size);
    }
    reader.source().check_unchanged();  // else what was read may be of two files
    if (first_byte < last_byte) {
        reader.source().release(static_cast<std::size_t>(first_byte),
                                static_cast<std::size_t>(std::min<std::uint64_t>(
                                    last_byte, reader.source().size())));
    }
    return batch;
}

py::object wrap(std::optional<Column<std::uint8_t>>&& column) {
    if (!column) {
        return py::none();
    }
    return py::cast(OwnedBuffer(std::move(*column)));
}

py::tuple entry(std::size_t length, std::size_t nulls, py::object validity, OwnedBuffer&& values) {
    return py::make_tuple(length, nulls, std::move(validity), py::cast(std::move(values)));
}

template <typename T>
py::tuple plain(Column<T>&& column) {
    const std::size_t length = column.size();
    return entry(length, 0, py::none(), OwnedBuffer(std::move(column)));
}

py::tuple nullable(Nullable&& column) {
    const std::size_t length = column.values.size();
    return entry(length, column.nulls, wrap(std::move(column.validity)),
                 OwnedBuffer(std::move(column.values)));
}

py::tuple read_layers(const BuildReader& reader, std::size_t start, std::size_t stop,
                      bool skip_damaged) {
    std::optional<Batch> read_batch;
    std::optional<Nullable> models;
    std::optional<Nullable> styles;
    std::optional<Nullable> lasers;
    std::optional<Booleans> closed;
    {
        const py::gil_scoped_release no_gil;
        read_batch.emplace(read(reader, start, stop, skip_damaged));
        models.emplace(std::move(read_batch->geometries.model_id));
        styles.emplace(std::move(read_batch->geometries.build_style_id));
        lasers.emplace(std::move(read_batch->geometries.laser_id));
        closed.emplace(read_batch->geometries.closed);
    }
    Batch& batch = *read_batch;
    Geometries& rows = batch.geometries;
    const std::size_t count = rows.layer.size();
    py::dict geometries(
        "layer"_a = plain(std::move(rows.layer)),
        "geometry_id"_a = plain(std::move(rows.geometry_id)),
        "kind"_a = plain(std::move(rows.kind)), "model_id"_a = nullable(std::move(*models)),
        "build_style_id"_a = nullable(std::move(*styles)),
        "laser_id"_a = nullable(std::move(*lasers)),
        "closed"_a = entry(count, closed->nulls,
                           closed->nulls == 0 ? py::object(py::none())
                                              : py::cast(OwnedBuffer(std::move(closed->validity))),
                           OwnedBuffer(std::move(closed->values))),
        "offset"_a = plain(std::move(rows.offset)), "count"_a = plain(std::move(rows.count)));
    py::dict coordinates("x_mm"_a = plain(std::move(rows.x_mm)),
                         "y_mm"_a = plain(std::move(rows.y_mm)));
    py::dict layers("layer"_a = plain(std::move(batch.layer)),
                    "first_geometry"_a = plain(std::move(batch.first_geometry)),
                    "geometry_count"_a = plain(std::move(batch.geometry_count)),
                    "first_point"_a = plain(std::move(batch.first_point)),
                    "point_count"_a = plain(std::move(batch.point_count)));
    return py::make_tuple(layers, geometries, coordinates, to_python(batch.damage),
                          to_python(rows.warnings));
}

OpenOptions options_of(const Limits& limits, bool tolerate_damage) {
    return {.limits = limits, .tolerate_damage = tolerate_damage};
}

}  // namespace

void bind_reader(py::module_& module) {
    py::class_<Limits>(module, "Limits")
        .def(py::init<>())
        .def_readwrite("max_layers", &Limits::max_layers)
        .def_readwrite("max_geometries_per_layer", &Limits::max_geometries_per_layer)
        .def_readwrite("max_points_per_layer", &Limits::max_points_per_layer)
        .def_readwrite("max_models", &Limits::max_models)
        .def_readwrite("max_build_styles", &Limits::max_build_styles)
        .def_readwrite("max_header_bytes", &Limits::max_header_bytes)
        .def_readwrite("max_nesting", &Limits::max_nesting)
        .def_readwrite("max_expansion", &Limits::max_expansion);

    module.def("sniff", [](const py::buffer& buffer) {
        const std::shared_ptr<const ByteSource> source = source_of(buffer);
        return std::string(buildfile::sniff(source->bytes()));
    });
    module.def("sniff_file", [](const std::string& path) {
        const py::gil_scoped_release no_gil;
        return std::string(buildfile::sniff(map_file(path)->bytes()));
    });

    py::class_<BuildReader>(module, "Reader")
        .def_static(
            "open_bytes",
            [](const py::buffer& buffer, const std::string& format, const Limits& limits,
               bool tolerate_damage) {
                std::shared_ptr<const ByteSource> source = source_of(buffer);
                const py::gil_scoped_release no_gil;
                return buildfile::open_build(format, std::move(source),
                                             options_of(limits, tolerate_damage));
            },
            "data"_a, "format"_a, "limits"_a, "tolerate_damage"_a)
        .def_static(
            "open_file",
            [](const std::string& path, const std::string& format, const Limits& limits,
               bool tolerate_damage) {
                const py::gil_scoped_release no_gil;
                return buildfile::open_build(format, map_file(path),
                                             options_of(limits, tolerate_damage));
            },
            "path"_a, "format"_a, "limits"_a, "tolerate_damage"_a)
        .def_property_readonly("header",
                               [](const BuildReader& reader) { return to_python(reader.header()); })
        .def_property_readonly("damage",
                               [](const BuildReader& reader) { return to_python(reader.damage()); })
        .def_property_readonly(
            "warnings", [](const BuildReader& reader) { return to_python(reader.warnings()); })
        .def_property_readonly("layer_count",
                               [](const BuildReader& reader) { return reader.layers().size(); })
        .def("index",
             [](const BuildReader& reader) {
                 const auto count = static_cast<py::ssize_t>(reader.layers().size());
                 py::array_t<double> z_mm(count);
                 py::array_t<std::uint64_t> offset(count);
                 py::array_t<std::uint64_t> size(count);
                 for (py::ssize_t index = 0; index < count; ++index) {
                     const auto& layer = reader.layers()[static_cast<std::size_t>(index)];
                     z_mm.mutable_at(index) = layer.z_mm;
                     offset.mutable_at(index) = layer.offset;
                     size.mutable_at(index) = layer.size;
                 }
                 return py::make_tuple(z_mm, offset, size);
             })
        .def("read_layers", &read_layers, "start"_a, "stop"_a, "skip_damaged"_a);
}

}  // namespace pbf::bind
