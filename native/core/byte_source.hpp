// Where the bytes of a file are: a memory map of our own, or memory that somebody else holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/byte_reader.hpp"

namespace pbf {

class ByteSource {
  public:
    virtual ~ByteSource() = default;
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;

    Bytes bytes() const noexcept { return bytes_; }
    std::size_t size() const noexcept { return bytes_.size(); }

    // Says that [first, last) will not be needed soon. A map gives the pages back, so that a scan of a
    // file larger than memory stays small; they are read anew if they are needed after all.
    virtual void release(std::size_t first, std::size_t last) const noexcept {
        (void)first;
        (void)last;
    }

    // Throws (io) if the file behind a map is not as it was when it was mapped: what was read of it may
    // be of two files, or of pages that are gone.
    virtual void check_unchanged() const {}

  protected:
    explicit ByteSource(Bytes bytes) noexcept : bytes_(bytes) {}
    Bytes bytes_;
};

// Memory that outlives the source.
class BorrowedBytes final : public ByteSource {
  public:
    explicit BorrowedBytes(Bytes bytes) noexcept : ByteSource(bytes) {}
};

// A read-only memory map of a file.
std::shared_ptr<const ByteSource> map_file(const std::string& path);

// Gives back what a forward scan has behind it, in steps of `step` bytes.
class ScanRelease {
  public:
    explicit ScanRelease(const ByteSource& source, std::size_t step = std::size_t{8} << 20) noexcept
        : source_(source), step_(step) {}

    void passed(std::size_t position) noexcept {
        if (position - released_ >= step_) {
            source_.release(released_, position);
            released_ = position;
        }
    }

  private:
    const ByteSource& source_;
    std::size_t step_;
    std::size_t released_ = 0;
};

}  // namespace pbf
