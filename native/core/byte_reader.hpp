// The one place that looks at raw bytes: every range is checked by subtraction, never by addition.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace pbf {

static_assert(std::endian::native == std::endian::little, "big-endian machines are not supported");

using Bytes = std::span<const std::uint8_t>;

// Reads forward through bytes that begin at `base` of the file; offsets in errors are the file's.
class ByteReader {
  public:
    explicit ByteReader(Bytes bytes, std::uint64_t base = 0) noexcept : bytes_(bytes), base_(base) {}

    std::size_t position() const noexcept { return position_; }
    std::size_t remaining() const noexcept { return bytes_.size() - position_; }
    bool at_end() const noexcept { return remaining() == 0; }
    std::uint64_t file_offset() const noexcept { return base_ + position_; }

    // Moves to a position within these bytes; the end is one.
    void seek(std::size_t position, const char* what) {
        if (position > bytes_.size()) {
            fail(ErrorCode::bad_offset, std::string(what) + " lies behind the end");
        }
        position_ = position;
    }

    void skip(std::uint64_t count, const char* what) { (void)take(count, what); }

    // The next `count` bytes, not copied.
    Bytes take(std::uint64_t count, const char* what) {
        if (count > remaining()) {
            fail_truncated(count, what);
        }
        const Bytes taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
        position_ += static_cast<std::size_t>(count);
        return taken;
    }

    // The next `count` items of `item_size` bytes: checked against what remains, before any memory
    // is taken for them.
    Bytes take_items(std::uint64_t count, std::size_t item_size, const char* what) {
        if (count > remaining() / item_size) {
            fail(ErrorCode::bad_count, std::to_string(count) + " " + what + " of " +
                                           std::to_string(item_size) + " bytes each cannot be in " +
                                           std::to_string(remaining()) + " bytes");
        }
        return take(count * item_size, what);
    }

    std::string_view take_text(std::uint64_t count, const char* what) {
        const Bytes taken = take(count, what);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }

    // A little-endian number of any fixed width, at any alignment.
    template <typename T>
    T read(const char* what) {
        const Bytes taken = take(sizeof(T), what);
        T value;
        std::memcpy(&value, taken.data(), sizeof(T));
        return value;
    }

    template <typename T>
    T peek(const char* what) {
        const std::size_t here = position_;
        const T value = read<T>(what);
        position_ = here;
        return value;
    }

    [[noreturn]] void fail(ErrorCode code, std::string message) const {
        throw FormatError(code, file_offset(), std::move(message));
    }

  private:
    // Apart, so that take() is small enough to be compiled into its callers.
    [[noreturn, gnu::cold, gnu::noinline]] void fail_truncated(std::uint64_t count,
                                                               const char* what) const {
        fail(ErrorCode::truncated, std::string(what) + " needs " + std::to_string(count) +
                                       " bytes, " + std::to_string(remaining()) + " are left");
    }

    Bytes bytes_;
    std::uint64_t base_;
    std::size_t position_ = 0;
};

// Item `index` of packed little-endian items, at any alignment. The caller has checked the range.
template <typename T>
inline T load(const std::uint8_t* first, std::size_t index) noexcept {
    T value;
    std::memcpy(&value, first + index * sizeof(T), sizeof(T));
    return value;
}

}  // namespace pbf
