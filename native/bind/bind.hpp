// What the parts of the binding share.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

#include "bind/owned_buffer.hpp"
#include "buildfile/model.hpp"

namespace pbf::bind {

namespace py = pybind11;

void bind_reader(py::module_& module);
void bind_writer(py::module_& module);

// As Python sees a header, and back.
py::dict to_python(const buildfile::Header& header);
buildfile::Header header_from_python(const py::dict& header);
py::list to_python(const std::vector<buildfile::Damage>& damage);

}  // namespace pbf::bind
