// Writers: to a file or to bytes, layer by layer, without the GIL where much is written.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <span>
#include <string>

#include "bind/bind.hpp"
#include "buildfile/writer.hpp"

namespace pbf::bind {
namespace {

using namespace pybind11::literals;
using buildfile::BuildWriter;
using buildfile::ByteSink;
using buildfile::LayerView;
using buildfile::MemorySink;
using buildfile::WriteOptions;

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

template <typename T>
std::span<const T> view(const Array<T>& array, std::size_t length, const char* name) {
    if (array.ndim() != 1 || static_cast<std::size_t>(array.size()) != length) {
        throw py::value_error(std::string(name) + " has another length than the columns beside it");
    }
    return {array.data(), length};
}

class Writer {
  public:
    Writer(const std::string& format, const std::optional<std::string>& path,
           const WriteOptions& options) {
        if (path) {
            sink_ = buildfile::open_file_sink(*path);
        } else {
            auto memory = std::make_unique<MemorySink>();
            memory_ = memory.get();
            sink_ = std::move(memory);
        }
        writer_ = buildfile::make_writer(format, *sink_, options);
    }

    void begin(const py::dict& header) { writer_->begin(header_from_python(header)); }

    void layer(double z_mm, const Array<std::uint8_t>& kind, const Array<std::int32_t>& model_id,
               const Array<std::int32_t>& build_style_id, const Array<std::int32_t>& laser_id,
               const Array<std::uint8_t>& closed, const Array<std::int64_t>& offset,
               const Array<std::int64_t>& count, const Array<float>& x_mm,
               const Array<float>& y_mm) {
        const auto geometries = static_cast<std::size_t>(kind.size());
        const auto points = static_cast<std::size_t>(x_mm.size());
        const LayerView rows{
            .z_mm = z_mm,
            .kind = view(kind, geometries, "kind"),
            .model_id = view(model_id, geometries, "model_id"),
            .build_style_id = view(build_style_id, geometries, "build_style_id"),
            .laser_id = view(laser_id, geometries, "laser_id"),
            .closed = view(closed, geometries, "closed"),
            .offset = view(offset, geometries, "offset"),
            .count = view(count, geometries, "count"),
            .x_mm = view(x_mm, points, "x_mm"),
            .y_mm = view(y_mm, points, "y_mm"),
        };
        for (std::size_t row = 0; row < geometries; ++row) {
            const std::int64_t first = rows.offset[row];
            const std::int64_t length = rows.count[row];
            if (rows.kind[row] > static_cast<std::uint8_t>(buildfile::Kind::jump) ||
                rows.closed[row] > static_cast<std::uint8_t>(buildfile::Closed::unknown) ||
                first < 0 || length < 0 || static_cast<std::uint64_t>(first) > points ||
                static_cast<std::uint64_t>(length) > points - static_cast<std::uint64_t>(first)) {
                throw py::value_error("geometry " + std::to_string(row) +
                                      " names coordinates or a kind that are not there");
            }
        }
        const py::gil_scoped_release no_gil;
        writer_->layer(rows);
    }

    py::object finish() {
        {
            const py::gil_scoped_release no_gil;
            writer_->finish();
            sink_->flush();
        }
        if (memory_ == nullptr) {
            return py::none();
        }
        const std::vector<std::uint8_t> bytes = memory_->take();
        return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }

    const std::vector<std::string>& lost() const noexcept { return writer_->lost(); }

  private:
    std::unique_ptr<ByteSink> sink_;
    MemorySink* memory_ = nullptr;
    std::unique_ptr<BuildWriter> writer_;
};

}  // namespace

void bind_writer(py::module_& module) {
    py::class_<Writer>(module, "Writer")
        .def(py::init<const std::string&, const std::optional<std::string>&, const WriteOptions&>(),
             "format"_a, "path"_a, "options"_a)
        .def("begin", &Writer::begin, "header"_a)
        .def("layer", &Writer::layer, "z_mm"_a, "kind"_a, "model_id"_a, "build_style_id"_a,
             "laser_id"_a, "closed"_a, "offset"_a, "count"_a, "x_mm"_a, "y_mm"_a)
        .def("finish", &Writer::finish)
        .def_property_readonly("lost", &Writer::lost);
}

}  // namespace pbf::bind
