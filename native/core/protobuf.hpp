// Protocol buffers on the wire: messages taken apart and put together, without generated code.
//
// What is read is checked as it is met; nothing here recurses, so nesting is as deep as the caller
// goes. Groups (deprecated since 2008) are refused. Encoding: protobuf.dev, "Encoding".
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "core/byte_reader.hpp"

namespace pbf {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

// Bytes that stand at `offset` of the file.
struct WirePiece {
    Bytes bytes;
    std::uint64_t offset = 0;
};

// A varint of more than one byte, whose first has been read.
[[gnu::noinline]] inline std::uint64_t read_long_varint(ByteReader& from, std::uint8_t first,
                                                        const char* what) {
    const std::uint64_t offset = from.file_offset() - 1;
    std::uint64_t value = first & 0x7fU;
    for (unsigned shift = 7; shift < 64; shift += 7) {
        const auto byte = from.read<std::uint8_t>(what);
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= std::uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    throw FormatError(ErrorCode::bad_number, offset, std::string(what) + " is over 64 bits");
}

inline std::uint64_t read_varint(ByteReader& from, const char* what) {
    const auto first = from.read<std::uint8_t>(what);
    return first < 0x80 ? first : read_long_varint(from, first, what);
}

// A message behind its length.
inline WirePiece read_delimited(ByteReader& from, const char* what) {
    const std::uint64_t length = read_varint(from, what);
    const std::uint64_t offset = from.file_offset();
    return {from.take(length, what), offset};
}

struct WireField {
    std::uint32_t number = 0;
    WireType type = WireType::varint;
    std::uint64_t value = 0;       // of a varint
    Bytes payload;                 // of all others
    std::uint64_t offset = 0;      // of the payload (or the varint) in the file
    Bytes whole;                   // with its tag

    bool is(std::uint32_t wanted, WireType as) const noexcept {
        return number == wanted && type == as;
    }
    WirePiece piece() const noexcept { return {payload, offset}; }
    float float32() const noexcept { return load<float>(payload.data(), 0); }
    double float64() const noexcept { return load<double>(payload.data(), 0); }
    std::string text() const {
        return {reinterpret_cast<const char*>(payload.data()), payload.size()};
    }
    // An int32: sign-extended to 64 bits, as the encoding wants it, or (some writers) not.
    std::int32_t int32(const char* what) const {
        const auto as_signed = static_cast<std::int64_t>(value);
        if (as_signed < std::numeric_limits<std::int32_t>::min() ||
            as_signed > std::numeric_limits<std::uint32_t>::max()) {
            throw FormatError(ErrorCode::bad_number, offset,
                              std::string(what) + " does not fit into 32 bits");
        }
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    }
};

// The fields of one message, in their order. A field that is known but has another wire type is, as
// protobuf has it, an unknown one: ask with is().
class WireReader {
  public:
    explicit WireReader(WirePiece message) noexcept
        : bytes_(message.bytes), reader_(message.bytes, message.offset) {}

    bool next(WireField& field) {
        if (reader_.at_end()) {
            return false;
        }
        const std::size_t begin = reader_.position();
        const std::uint64_t tag_offset = reader_.file_offset();
        const std::uint64_t tag = read_varint(reader_, "a field's tag");
        const std::uint64_t number = tag >> 3;
        if (number == 0 || number > (1U << 29) - 1) {
            fail(tag_offset, "there is no field " + std::to_string(number));
        }
        field.number = static_cast<std::uint32_t>(number);
        field.value = 0;
        field.payload = {};
        field.offset = reader_.file_offset();
        switch (tag & 7) {
            case 0:
                field.type = WireType::varint;
                field.value = read_varint(reader_, "a field");
                break;
            case 1:
                field.type = WireType::fixed64;
                field.payload = reader_.take(8, "a field");
                break;
            case 2: {
                field.type = WireType::length;
                const WirePiece piece = read_delimited(reader_, "a field");
                field.payload = piece.bytes;
                field.offset = piece.offset;
                break;
            }
            case 5:
                field.type = WireType::fixed32;
                field.payload = reader_.take(4, "a field");
                break;
            default:
                fail(tag_offset, "field " + std::to_string(number) + " has wire type " +
                                     std::to_string(tag & 7) + ", which is not read");
        }
        field.whole = bytes_.subspan(begin, reader_.position() - begin);
        return true;
    }

  private:
    [[noreturn, gnu::cold, gnu::noinline]] static void fail(std::uint64_t offset,
                                                            const std::string& message) {
        throw FormatError(ErrorCode::bad_command, offset, message);
    }

    Bytes bytes_;
    ByteReader reader_;
};

// Calls run(first, count, offset) for all runs of repeated float `number`, packed or not.
template <typename Run>
void for_each_float_run(WirePiece message, std::uint32_t number, Run&& run) {
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        if (field.is(number, WireType::length)) {
            if (field.payload.size() % sizeof(float) != 0) {
                throw FormatError(ErrorCode::bad_count, field.offset,
                                  std::to_string(field.payload.size()) +
                                      " bytes are no whole number of floats");
            }
            run(field.payload.data(), field.payload.size() / sizeof(float), field.offset);
        } else if (field.is(number, WireType::fixed32)) {
            run(field.payload.data(), std::size_t{1}, field.offset);
        }
    }
}

// Calls value(v, offset) for all values of repeated varint `number`, packed or not.
template <typename Value>
void for_each_varint(WirePiece message, std::uint32_t number, Value&& value) {
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        if (field.is(number, WireType::varint)) {
            value(field.value, field.offset);
        } else if (field.is(number, WireType::length)) {
            ByteReader packed(field.payload, field.offset);
            while (!packed.at_end()) {
                const std::uint64_t offset = packed.file_offset();
                value(read_varint(packed, "a packed number"), offset);
            }
        }
    }
}

// A message that is put together. Zeros are written when they are asked for: readers keep apart what
// is said and what is not.
class WireWriter {
  public:
    const std::string& bytes() const noexcept { return bytes_; }
    void clear() noexcept { bytes_.clear(); }

    void varint(std::uint64_t value) {
        while (value >= 0x80) {
            bytes_.push_back(static_cast<char>(value | 0x80));
            value >>= 7;
        }
        bytes_.push_back(static_cast<char>(value));
    }
    void tag(std::uint32_t number, WireType type) {
        varint(std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type));
    }
    void unsigned_number(std::uint32_t number, std::uint64_t value) {
        tag(number, WireType::varint);
        varint(value);
    }
    void signed_number(std::uint32_t number, std::int64_t value) {
        unsigned_number(number, static_cast<std::uint64_t>(value));
    }
    void float32(std::uint32_t number, float value) {
        tag(number, WireType::fixed32);
        append(&value, sizeof value);
    }
    void text(std::uint32_t number, std::string_view value) {
        tag(number, WireType::length);
        varint(value.size());
        bytes_.append(value);
    }
    void message(std::uint32_t number, const WireWriter& value) { text(number, value.bytes()); }
    // Fields that are encoded already.
    void raw(std::string_view fields) { bytes_.append(fields); }
    void append(const void* data, std::size_t size) {
        bytes_.append(static_cast<const char*>(data), size);
    }

  private:
    std::string bytes_;
};

// How many bytes a varint takes.
inline std::size_t varint_size(std::uint64_t value) noexcept {
    return value == 0 ? 1 : static_cast<std::size_t>(std::bit_width(value) + 6) / 7;
}

}  // namespace pbf
