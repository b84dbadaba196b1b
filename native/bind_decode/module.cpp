// pbf_ray.decode._core: records in, columns out, without the GIL and without an object per record.
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bind/owned_buffer.hpp"
#include "core/byte_reader.hpp"
#include "core/error.hpp"
#include "decode/batch.hpp"

namespace py = pybind11;

namespace pbf::bind {
namespace {

using namespace pybind11::literals;
using decode::ColumnData;
using decode::Decoded;
using decode::Field;
using decode::Mode;
using decode::Schema;
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

// Arrow's buffers of a column, and the same of its fields.
py::tuple to_python(ColumnData&& column) {
    py::list buffers;
    buffers.append(OwnedBuffer(std::move(column.valid)));
    if (column.type == Type::string) {
        buffers.append(OwnedBuffer(std::move(column.offsets)));
    }
    if (column.type != Type::structure) {
        buffers.append(OwnedBuffer(std::move(column.values)));
    }
    py::list children;
    for (ColumnData& child : column.children) {
        children.append(to_python(std::move(child)));
    }
    return py::make_tuple(buffers, children);
}

// What became of a batch, as Python sees it.
struct Batch {
    std::size_t rows;
    std::size_t exact;
    py::list columns;
    OwnedBuffer indices;
    OwnedBuffer flagged;
    py::object corrupt_record = py::none();
    std::size_t rejected;
    py::tuple rejects;
    py::object failure = py::none();
};

Batch to_python(Decoded&& decoded) {
    const std::size_t rejected = decoded.rejects.index.size();
    Batch batch{.rows = decoded.rows,
                .exact = decoded.exact,
                .columns = py::list(),
                .indices = OwnedBuffer(std::move(decoded.indices)),
                .flagged = OwnedBuffer(std::move(decoded.flagged)),
                .corrupt_record = py::none(),
                .rejected = rejected,
                .rejects = py::make_tuple(OwnedBuffer(std::move(decoded.rejects.index)),
                                          to_python(std::move(decoded.rejects.reason)),
                                          to_python(std::move(decoded.rejects.detail))),
                .failure = py::none()};
    for (ColumnData& column : decoded.columns) {
        batch.columns.append(to_python(std::move(column)));
    }
    if (decoded.corrupt_record) {
        batch.corrupt_record = to_python(std::move(*decoded.corrupt_record));
    }
    if (decoded.failure) {
        batch.failure = py::make_tuple(decoded.failure->index, decoded.failure->what);
    }
    return batch;
}

Mode mode_named(std::string_view name) {
    constexpr std::pair<std::string_view, Mode> modes[] = {{"PERMISSIVE", Mode::permissive},
                                                           {"DROPMALFORMED", Mode::drop_malformed},
                                                           {"FAILFAST", Mode::fail_fast},
                                                           {"dead_letter", Mode::dead_letter}};
    for (const auto& [known, mode] : modes) {
        if (known == name) {
            return mode;
        }
    }
    throw py::value_error("no mode is called " + std::string(name));
}

// Decodes values that `collect` gives; it and all the rest run without the GIL.
template <typename Collect>
Batch decoded(const Schema& schema, const std::string& mode, bool all_exactly, Collect collect) {
    const Mode wanted = mode_named(mode);
    Decoded out;
    {
        const py::gil_scoped_release no_gil;
        const std::vector<Value>& values = collect();
        out = decode::decode(schema, values, wanted, all_exactly);
        decode::pack(out.columns);
        out.flagged = decode::packed(out.flagged);
        if (out.corrupt_record) {
            out.corrupt_record->valid = decode::packed(out.corrupt_record->valid);
        }
        out.rejects.reason.valid = decode::packed(out.rejects.reason.valid);
        out.rejects.detail.valid = decode::packed(out.rejects.detail.valid);
    }
    return to_python(std::move(out));
}

// Values of a list of bytes or None: Python's own memory is read, which the copy of the list holds.
Batch decode_list(const Schema& schema, const py::list& given, const std::string& mode,
                  bool all_exactly) {
    const py::tuple held(given);
    std::vector<Value> values;
    values.reserve(held.size());
    for (const py::handle item : held) {
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
    return decoded(schema, mode, all_exactly, [&]() -> const std::vector<Value>& { return values; });
}

// Values that lie in one buffer, one behind the other, as in an Arrow array.
class PackedValues {
  public:
    // (first value, number of values, validity bits or None, offsets, bytes of an offset, data)
    explicit PackedValues(const py::tuple& parts)
        : first_(py::cast<std::size_t>(parts[0])),
          count_(py::cast<std::size_t>(parts[1])),
          places_(py::cast<py::buffer>(parts[3]).request()),
          width_(py::cast<std::size_t>(parts[4])),
          bytes_(py::cast<py::buffer>(parts[5]).request()) {
        if (!parts[2].is_none()) {
            validity_.emplace(py::cast<py::buffer>(parts[2]).request());
        }
        constexpr std::size_t most = std::size_t{1} << 48;
        if ((width_ != 4 && width_ != 8) || first_ > most || count_ > most ||
            size_of(places_) / width_ < first_ + count_ + 1 ||
            (validity_ && size_of(*validity_) < (first_ + count_ + 7) / 8)) {
            throw py::value_error("the buffers are too short for the values");
        }
    }

    std::size_t count() const noexcept { return count_; }

    void append_to(std::vector<Value>& values) const {
        const auto* const bytes = static_cast<const std::uint8_t*>(bytes_.ptr);
        const std::uint64_t size = size_of(bytes_);
        for (std::size_t row = first_; row < first_ + count_; ++row) {
            if (validity_ && !is_valid(row)) {
                values.push_back({nullptr, 0});
                continue;
            }
            const std::uint64_t first = place(row);
            const std::uint64_t last = place(row + 1);
            if (first > last || last > size) {
                throw py::value_error("the offsets of the values lie outside their data");
            }
            // An empty value is not the same as none.
            static constexpr std::uint8_t nothing = 0;
            values.push_back({bytes == nullptr ? &nothing : bytes + first,
                              static_cast<std::size_t>(last - first)});
        }
    }

  private:
    static std::size_t size_of(const py::buffer_info& buffer) noexcept {
        return static_cast<std::size_t>(buffer.size * buffer.itemsize);
    }
    bool is_valid(std::size_t row) const noexcept {
        return (static_cast<const std::uint8_t*>(validity_->ptr)[row / 8] >> (row % 8) & 1U) != 0;
    }
    std::uint64_t place(std::size_t row) const noexcept {
        const auto* const at = static_cast<const std::uint8_t*>(places_.ptr);
        return width_ == 4 ? std::uint64_t{load<std::uint32_t>(at, row)} : load<std::uint64_t>(at, row);
    }

    std::size_t first_;
    std::size_t count_;
    std::optional<py::buffer_info> validity_;
    py::buffer_info places_;
    std::size_t width_;
    py::buffer_info bytes_;
};

Batch decode_packed(const Schema& schema, const py::list& chunks, const std::string& mode,
                    bool all_exactly) {
    std::vector<PackedValues> held;
    std::size_t count = 0;
    for (const py::handle chunk : chunks) {
        held.emplace_back(py::cast<py::tuple>(chunk));
        count += held.back().count();
    }
    std::vector<Value> values;
    return decoded(schema, mode, all_exactly, [&]() -> const std::vector<Value>& {
        values.reserve(count);
        for (const PackedValues& chunk : held) {
            chunk.append_to(values);
        }
        return values;
    });
}

}  // namespace
}  // namespace pbf::bind

PYBIND11_MODULE(_core, module) {
    using namespace pbf::bind;
    using namespace pybind11::literals;
    module.doc() = "Records in C++; pbf_ray.decode.from_json is the way in.";
    py::register_local_exception_translator([](std::exception_ptr raised) {
        try {
            if (raised) {
                std::rethrow_exception(raised);
            }
        } catch (const pbf::FormatError& error) {
            PyErr_SetString(PyExc_ValueError, error.what());
        }
    });
    bind_owned_buffer(module);
    py::class_<Batch>(module, "Batch", py::module_local())
        .def_readonly("rows", &Batch::rows)
        .def_readonly("exact", &Batch::exact)
        .def_readonly("columns", &Batch::columns)
        .def_readonly("indices", &Batch::indices)
        .def_readonly("flagged", &Batch::flagged)
        .def_readonly("corrupt_record", &Batch::corrupt_record)
        .def_readonly("rejected", &Batch::rejected)
        .def_readonly("rejects", &Batch::rejects)
        .def_readonly("failure", &Batch::failure);
    py::class_<Schema>(module, "Schema", py::module_local())
        .def(py::init([](const py::sequence& fields) {
                 return std::make_unique<Schema>(fields_from(fields));
             }),
             "fields"_a)
        .def("decode_list", &decode_list, "values"_a, "mode"_a, "all_exactly"_a = false)
        .def("decode_packed", &decode_packed, "chunks"_a, "mode"_a, "all_exactly"_a = false);
    export_all(module);
}
