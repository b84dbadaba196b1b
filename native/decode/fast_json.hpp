// JSON records to columns, for records that leave no doubt.
//
// A record is taken only where every exact reader must agree with this one: strict JSON (and bare NaN,
// Infinity, -Infinity), no escapes, well-formed UTF-8, no wanted name twice, every wanted value of its
// column's own type and in its range, and too short for any limit of length, depth or digits to be
// near. Whatever is not surely so is *doubtful*: it leaves a row of nulls, and its index is noted for
// the exact reader. So this file need not know what Spark does with records that are odd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/byte_reader.hpp"
#include "core/column.hpp"

namespace pbf::decode {

enum class Type : std::uint8_t { string, float64, float32, int8, int16, int32, int64, boolean, structure };

struct Field {
    std::string name;
    Type type;
    std::vector<Field> fields;  // of a structure
};

// What a column of a batch becomes: Arrow's layout, but validity and booleans are bytes until packed.
struct ColumnData {
    Type type;
    Column<std::uint8_t> valid;    // a byte per row
    Column<std::uint8_t> values;   // fixed width: a value per row; strings: their bytes
    Column<std::int32_t> offsets;  // strings: rows + 1
    std::vector<ColumnData> children;
};

// A value of a batch; data is nullptr for a record without a value.
struct Value {
    const std::uint8_t* data;
    std::size_t size;
};

struct Decoded {
    std::vector<ColumnData> columns;      // in schema order
    Column<std::int64_t> doubtful;        // indices, ascending; their rows are null
};

// Longest record that is taken: shorter than the first buffer of the exact reader.
inline constexpr std::size_t kMaxRecordBytes = 3999;

Decoded decode(const std::vector<Field>& schema, const std::vector<Value>& values);

}  // namespace pbf::decode
