// pbf_ray.decode._core: records in, columns out, without the GIL and without an object per record.
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <string_view>

#include "bind/owned_buffer.hpp"
#include "decode/fast_json.hpp"

namespace py = pybind11;

namespace pbf::bind {
namespace {

using namespace pybind11::literals;
using decode::ColumnData;
using decode::Decoded;
using decode::Field;
using decode::Type;
using decode::Value;

Type type_named(std::string_view name) {
    constexpr std::pair<std::string_view, Type> types[] = {
        {"string", Type::string}, {"double", Type::float64}, {"float", Type::float32},
        {"int8", Type::int8},     {"int16", Type::int16},    {"int32", Type::int32},
        {"int64", Type::int64},   {"bool", Type::boolean},   {"struct", Type::structure}};
    for (const auto& [known, type] : types) {
        if (known == name) {
            return type;
        }
    }
    throw py::value_error("no type is called " + std::string(name));
}

// Fields as (name, type, fields).
std::vector<Field> fields_from(const py::sequence& given) {
    std::vector<Field> fields;
    for (const py::handle item : given) {
        const auto parts = py::cast<py::tuple>(item);
        fields.push_back({py::cast<std::string>(parts[0]),
                          type_named(py::cast<std::string>(parts[1])),
                          fields_from(py::cast<py::sequence>(parts[2]))});
    }
    return fields;
}

Column<std::uint8_t> packed(const Column<std::uint8_t>& flags) {
    Column<std::uint8_t> bits((flags.size() + 7) / 8, std::uint8_t{0});
    for (std::size_t row = 0; row < flags.size(); ++row) {
        bits[row / 8] |= static_cast<std::uint8_t>(flags[row] << (row % 8));
    }
    return bits;
}

void pack(std::vector<ColumnData>& columns) {
    for (ColumnData& column : columns) {
        column.valid = packed(column.valid);
        if (column.type == Type::boolean) {
            column.values = packed(column.values);
        }
        pack(column.children);
    }
}

py::list to_python(std::vector<ColumnData>&& columns) {
    py::list out;
    for (ColumnData& column : columns) {
        py::list buffers;
        buffers.append(OwnedBuffer(std::move(column.valid)));
        if (column.type == Type::string) {
            buffers.append(OwnedBuffer(std::move(column.offsets)));
        }
        if (column.type != Type::structure) {
            buffers.append(OwnedBuffer(std::move(column.values)));
        }
        out.append(py::make_tuple(buffers, to_python(std::move(column.children))));
    }
    return out;
}

class Schema {
  public:
    explicit Schema(const py::sequence& fields) : fields_(fields_from(fields)) {}

    // Values of a list of bytes or None: Python's own memory is read, which the list holds.
    py::tuple decode_list(const py::list& given) const {
        std::vector<Value> values;
        values.reserve(given.size());
        for (const py::handle item : given) {
            if (item.is_none()) {
                values.push_back({nullptr, 0});
                continue;
            }
            if (!PyBytes_CheckExact(item.ptr())) {
                throw py::type_error("values[" + std::to_string(values.size()) + "] is " +
                                     Py_TYPE(item.ptr())->tp_name + "; bytes or None is wanted");
            }
            values.push_back({reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(item.ptr())),
                              static_cast<std::size_t>(PyBytes_GET_SIZE(item.ptr()))});
        }
        return decode(values);
    }

    // Values of an Arrow binary array: validity bits (or None), offsets of `width` bytes, data.
    py::tuple decode_arrow(std::size_t offset, std::size_t length,
                           const std::optional<py::buffer>& validity, const py::buffer& offsets,
                           std::size_t width, const py::buffer& data) const {
        std::optional<py::buffer_info> bits;
        if (validity) {
            bits.emplace(validity->request());
        }
        const py::buffer_info places = offsets.request();
        const py::buffer_info bytes = data.request();
        const auto size = static_cast<std::uint64_t>(bytes.size * bytes.itemsize);
        if ((width != 4 && width != 8) ||
            static_cast<std::size_t>(places.size * places.itemsize) / width < offset + length + 1 ||
            (bits && static_cast<std::size_t>(bits->size * bits->itemsize) < (offset + length + 7) / 8)) {
            throw py::value_error("the buffers are too short for the array");
        }
        const auto place = [&](std::size_t index) {
            const auto* at = static_cast<const std::uint8_t*>(places.ptr);
            return width == 4 ? static_cast<std::uint64_t>(load<std::uint32_t>(at, index))
                              : load<std::uint64_t>(at, index);
        };
        std::vector<Value> values;
        values.reserve(length);
        for (std::size_t row = offset; row < offset + length; ++row) {
            if (bits && (static_cast<const std::uint8_t*>(bits->ptr)[row / 8] >> (row % 8) & 1U) == 0) {
                values.push_back({nullptr, 0});
                continue;
            }
            const std::uint64_t first = place(row);
            const std::uint64_t last = place(row + 1);
            if (first > last || last > size) {
                throw py::value_error("the offsets of the array lie outside its data");
            }
            values.push_back({static_cast<const std::uint8_t*>(bytes.ptr) + first,
                              static_cast<std::size_t>(last - first)});
        }
        return decode(values);
    }

  private:
    py::tuple decode(const std::vector<Value>& values) const {
        Decoded decoded;
        {
            const py::gil_scoped_release no_gil;
            decoded = decode::decode(fields_, values);
            pack(decoded.columns);
        }
        return py::make_tuple(to_python(std::move(decoded.columns)),
                              OwnedBuffer(std::move(decoded.doubtful)));
    }

    std::vector<Field> fields_;
};

}  // namespace
}  // namespace pbf::bind

PYBIND11_MODULE(_core, module) {
    using pbf::bind::Schema;
    module.doc() = "The common record in C++; pbf_ray.decode.from_json is the way in.";
    py::register_local_exception_translator([](std::exception_ptr raised) {
        try {
            if (raised) {
                std::rethrow_exception(raised);
            }
        } catch (const pbf::FormatError& error) {
            PyErr_SetString(PyExc_ValueError, error.what());
        }
    });
    pbf::bind::bind_owned_buffer(module);
    py::class_<Schema>(module, "Schema", py::module_local())
        .def(py::init<const py::sequence&>(), py::arg("fields"))
        .def("decode_list", &Schema::decode_list, py::arg("values"))
        .def("decode_arrow", &Schema::decode_arrow, py::arg("offset"), py::arg("length"),
             py::arg("validity"), py::arg("offsets"), py::arg("offset_width"), py::arg("data"));
    pbf::bind::export_all(module);
}
