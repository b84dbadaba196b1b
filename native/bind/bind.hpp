// What the parts of the binding share.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "buildfile/model.hpp"
#include "core/column.hpp"

namespace pbf::bind {

namespace py = pybind11;

// Memory of the core that Python reads through the buffer protocol, without a copy.
class OwnedBuffer {
  public:
    template <typename T>
    explicit OwnedBuffer(Column<T>&& column) {
        auto held = std::make_shared<Column<T>>(std::move(column));
        data_ = held->data();
        size_ = held->size() * sizeof(T);
        owner_ = std::move(held);
    }
    const void* data() const noexcept { return size_ == 0 ? &empty_ : data_; }
    std::size_t size() const noexcept { return size_; }

  private:
    static constexpr std::uint64_t empty_ = 0;
    std::shared_ptr<void> owner_;
    const void* data_ = nullptr;
    std::size_t size_ = 0;
};

void bind_buffers(py::module_& module);
void bind_reader(py::module_& module);
void bind_writer(py::module_& module);

// As Python sees a header, and back.
py::dict to_python(const buildfile::Header& header);
buildfile::Header header_from_python(const py::dict& header);
py::list to_python(const std::vector<buildfile::Damage>& damage);

}  // namespace pbf::bind
