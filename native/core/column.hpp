// A growing column of plain values, whose memory is not cleared before it is written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace pbf {

// std::allocator, but resize() leaves new items as they are: they are written next anyway.
template <typename T>
struct UninitializedAllocator : std::allocator<T> {
    template <typename U>
    struct rebind {
        using other = UninitializedAllocator<U>;
    };
    template <typename U>
    void construct(U* place) noexcept(std::is_nothrow_default_constructible_v<U>) {
        ::new (static_cast<void*>(place)) U;
    }
    template <typename U, typename... Arguments>
    void construct(U* place, Arguments&&... arguments) {
        ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
    }
};

template <typename T>
using Column = std::vector<T, UninitializedAllocator<T>>;

// Makes room for `count` more items, in doubling steps.
template <typename T>
void reserve_more(Column<T>& column, std::size_t count) {
    if (count > column.capacity() - column.size()) {
        column.reserve(std::max(column.size() + count, column.size() * 2));
    }
}

// Lengthens a column by `count` items, in doubling steps; gives the first new one.
template <typename T>
T* grow(Column<T>& column, std::size_t count) {
    const std::size_t before = column.size();
    reserve_more(column, count);
    column.resize(before + count);
    return column.data() + before;
}

}  // namespace pbf
