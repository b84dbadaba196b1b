// The columns that a batch fills, a row at a time.
#pragma once

#include <cstring>
#include <string_view>
#include <vector>

#include "core/column.hpp"
#include "decode/schema.hpp"

namespace pbf::decode {

// Arrow's layout, but validity and booleans are bytes until packed.
struct ColumnData {
    Type type;
    Column<std::uint8_t> valid;    // a byte per row
    Column<std::uint8_t> values;   // fixed width: a value per row; strings: their bytes
    Column<std::int32_t> offsets;  // strings: rows + 1
    std::vector<ColumnData> children;

    template <typename T>
    void store(std::size_t row, T value) noexcept {
        std::memcpy(values.data() + row * sizeof(T), &value, sizeof(T));
        valid[row] = 1;
    }
    void store_text(std::size_t row, std::string_view text) {
        if (!text.empty()) {
            std::memcpy(grow(values, text.size()), text.data(), text.size());
        }
        valid[row] = 1;
    }
};

// Columns with a null in each of their rows.
ColumnData make_column(Type type, std::size_t rows);
std::vector<ColumnData> make_columns(const std::vector<Field>& fields, std::size_t rows);

// Ends a row: strings know where it ends. Throws if the strings of a column take more than 2 GiB.
void end_row(std::vector<ColumnData>& columns, std::size_t row);
void end_row(ColumnData& column, std::size_t row);

// Takes back what a row holds that has not ended.
void clear_row(std::vector<ColumnData>& columns, std::size_t row) noexcept;

// Leaves the first rows only.
void shorten(std::vector<ColumnData>& columns, std::size_t rows);

// Bytes to bits, as Arrow has them.
Column<std::uint8_t> packed(const Column<std::uint8_t>& flags);
void pack(std::vector<ColumnData>& columns);

}  // namespace pbf::decode
