// What can be wrong with a file, as a code and a byte offset. Nothing here prints or aborts.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace pbf {

enum class ErrorCode : std::uint8_t {
    truncated,          // the bytes end inside something
    bad_magic,          // it is not what its format begins with
    bad_header,         // the header lacks something, or contradicts itself
    bad_number,         // text that is no number, a number out of its range, NaN or infinite
    bad_command,        // an opcode, tag or keyword that does not belong there
    bad_count,          // a count that the remaining bytes cannot hold
    bad_offset,         // a position outside the file, or where nothing begins
    bad_text,           // text that is not in its encoding
    inconsistent,       // two places of the file contradict each other
    limit_exceeded,     // more than the limits allow
    unsupported,        // well formed, but nothing here reads it
    not_representable,  // the format to write cannot hold it
    out_of_memory,
    io,
};

// The name of a code, as programs see it: "truncated", "bad_magic", ...
const char* name_of(ErrorCode code) noexcept;

// A file, or a part of it, cannot be read (or written).
class FormatError : public std::exception {
  public:
    FormatError(ErrorCode code, std::uint64_t offset, std::string message)
        : code_(code), offset_(offset), message_(std::move(message)) {}

    ErrorCode code() const noexcept { return code_; }
    // Byte in the file where the trouble was seen.
    std::uint64_t offset() const noexcept { return offset_; }
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    ErrorCode code_;
    std::uint64_t offset_;
    std::string message_;
};

}  // namespace pbf
