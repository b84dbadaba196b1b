// Memory of the core that Python reads through the buffer protocol, without a copy.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "core/column.hpp"

namespace pbf::bind {

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

// Each extension has a type of its own: they must not find each other's.
inline void bind_owned_buffer(pybind11::module_& module) {
    pybind11::class_<OwnedBuffer>(module, "OwnedBuffer", pybind11::buffer_protocol(),
                                  pybind11::module_local())
        .def("__len__", &OwnedBuffer::size)
        .def_buffer([](OwnedBuffer& buffer) {
            return pybind11::buffer_info(const_cast<void*>(buffer.data()), 1, "B", 1,
                                         {buffer.size()}, {1}, true);
        });
}

// Programs see what a module exports: all of its names that do not begin with an underscore.
inline void export_all(pybind11::module_& module) {
    pybind11::list exported;
    for (const auto& [name, value] : module.attr("__dict__").cast<pybind11::dict>()) {
        if (!pybind11::cast<std::string>(name).starts_with("_")) {
            exported.append(name);
        }
    }
    module.attr("__all__") = exported;
}

}  // namespace pbf::bind
