// pbf_ray.formats._core: a table of contents. Errors become NativeFormatError here and nowhere else.
#include "bind/bind.hpp"
#include "buildfile/reader.hpp"
#include "core/error.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, module) {
    module.doc() = "Readers and writers of build files in C++; pbf_ray.formats is the way in.";

    static PyObject* format_error =
        PyErr_NewException("pbf_ray.formats._core.NativeFormatError", PyExc_Exception, nullptr);
    module.attr("NativeFormatError") = py::handle(format_error);
    py::register_exception_translator([](std::exception_ptr raised) {
        try {
            if (raised) {
                std::rethrow_exception(raised);
            }
        } catch (const pbf::FormatError& error) {
            const py::tuple arguments = py::make_tuple(
                pbf::name_of(error.code()), error.offset(),
                py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
                    error.what(), static_cast<Py_ssize_t>(std::char_traits<char>::length(error.what())),
                    "backslashreplace")));
            PyErr_SetObject(format_error, arguments.ptr());
        }
    });

    pbf::bind::bind_owned_buffer(module);
    pbf::bind::bind_reader(module);
    pbf::bind::bind_writer(module);
    pbf::bind::export_all(module);
}
