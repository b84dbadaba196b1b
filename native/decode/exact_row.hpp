// A row while it is read exactly: nothing of it stands before the record has been read to its end, and
// a later value may replace an earlier one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "decode/columns.hpp"
#include "decode/schema.hpp"

namespace pbf::decode {

struct Cell;

struct ExactRow {
    std::vector<Cell> cells;           // in schema order
    std::vector<std::uint32_t> order;  // of the fields that have come, as they first came

    explicit ExactRow(std::size_t fields = 0);
    void clear() noexcept;
};

struct Cell {
    bool has_come = false;  // perhaps as null
    bool valid = false;
    std::int64_t integer = 0;  // also of a boolean
    double float64 = 0;
    float float32 = 0;
    std::string text;
    ExactRow fields;
};

// Writes a row into the columns of the fields, whose row is null so far.
void write_row(const std::vector<Field>& fields, const ExactRow& from, std::vector<ColumnData>& columns,
               std::size_t row);

// What no store may hold of a row: the first such field and why, or nothing.
std::string unstorable_detail(const std::vector<Field>& fields, const ExactRow& row,
                              const std::string& parent = {});

// Longest string that a store takes, in bytes of UTF-8.
inline constexpr std::size_t kMaxStoredBytes = std::size_t{1} << 20;

}  // namespace pbf::decode
