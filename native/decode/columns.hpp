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
    Column<std::uint8_t> values;   // fixed width: a value per row; strings: their bytes, and room
    Column<std::int32_t> offsets;  // strings: rows + 1
    std::vector<ColumnData> children;
    std::size_t used = 0;  // strings: so many of the values are text

    template <typename T>
    void store(std::size_t row, T value) noexcept {
        std::memcpy(values.data() + row * sizeof(T), &value, sizeof(T));
        valid[row] = 1;
    }
    void store_text(std::size_t row, std::string_view text) {
        if (!text.empty()) {
            std::memcpy(room(text.size()), text.data(), text.size());
            used += text.size();
        }
        valid[row] = 1;
    }
    // Room for so many more bytes of text.
    std::uint8_t* room(std::size_t count) {
        if (values.size() - used < count) [[unlikely]] {
            make_room(count);
        }
        return values.data() + used;
    }

  private:
    void make_room(std::size_t count);
};

// Columns with a null in each of their rows.
ColumnData make_column(Type type, std::size_t rows);
std::vector<ColumnData> make_columns(const std::vector<Field>& fields, std::size_t rows);

// Ends a row of a column of text. Throws if its strings take more than 2 GiB.
void end_row(ColumnData& text, std::size_t row);

// Takes back what a row holds that has not ended.
void clear_row(std::vector<ColumnData>& columns, std::size_t row) noexcept;

// Leaves the first rows only, and no room.
void shorten(ColumnData& column, std::size_t rows);
void shorten(std::vector<ColumnData>& columns, std::size_t rows);

// The columns of text, also those in structures: all that has to know where a row ends.
std::vector<ColumnData*> texts_in(std::vector<ColumnData>& columns);

// Bytes to bits, as Arrow has them.
Column<std::uint8_t> packed(const Column<std::uint8_t>& flags);
void pack(std::vector<ColumnData>& columns);

}  // namespace pbf::decode
