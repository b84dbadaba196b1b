#include "decode/columns.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"

namespace pbf::decode {
namespace {

std::size_t width_of(Type type) noexcept {
    switch (type) {
        case Type::float64:
        case Type::int64: return 8;
        case Type::float32:
        case Type::int32: return 4;
        case Type::int16: return 2;
        case Type::int8:
        case Type::boolean: return 1;
        case Type::string:
        case Type::structure: return 0;
    }
    return 0;
}

}  // namespace

ColumnData make_column(Type type, std::size_t rows) {
    ColumnData column;
    column.type = type;
    column.valid.assign(rows, 0);
    if (type == Type::string) {
        column.offsets.assign(rows + 1, 0);
    } else {
        // Also where a row is null: bytes that were never written must not reach a file.
        column.values.assign(rows * width_of(type), 0);
    }
    return column;
}

std::vector<ColumnData> make_columns(const std::vector<Field>& fields, std::size_t rows) {
    std::vector<ColumnData> columns;
    columns.reserve(fields.size());
    for (const Field& field : fields) {
        columns.push_back(make_column(field.type, rows));
        columns.back().children = make_columns(field.fields, rows);
    }
    return columns;
}

void ColumnData::make_room(std::size_t count) {
    values.resize(std::max({values.size() * 2, used + count, std::size_t{256}}));
}

std::vector<ColumnData*> texts_in(std::vector<ColumnData>& columns) {
    std::vector<ColumnData*> found;
    for (ColumnData& column : columns) {
        if (column.type == Type::string) {
            found.push_back(&column);
        }
        const std::vector<ColumnData*> inside = texts_in(column.children);
        found.insert(found.end(), inside.begin(), inside.end());
    }
    return found;
}

void end_row(ColumnData& text, std::size_t row) {
    if (text.used > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
        throw FormatError(ErrorCode::limit_exceeded, row,
                          "the strings of a batch take more than 2 GiB; give smaller batches");
    }
    text.offsets[row + 1] = static_cast<std::int32_t>(text.used);
}

void clear_row(std::vector<ColumnData>& columns, std::size_t row) noexcept {
    for (ColumnData& column : columns) {
        column.valid[row] = 0;
        if (column.type == Type::string) {
            column.used = static_cast<std::size_t>(column.offsets[row]);
        } else if (column.type == Type::structure) {
            clear_row(column.children, row);
        } else {
            const std::size_t width = width_of(column.type);
            std::memset(column.values.data() + row * width, 0, width);
        }
    }
}

void shorten(ColumnData& column, std::size_t rows) {
    column.valid.resize(rows);
    if (column.type == Type::string) {
        column.offsets.resize(rows + 1);
        column.values.resize(column.used);
    } else {
        column.values.resize(rows * width_of(column.type));
    }
    shorten(column.children, rows);
}

void shorten(std::vector<ColumnData>& columns, std::size_t rows) {
    for (ColumnData& column : columns) {
        shorten(column, rows);
    }
}

Column<std::uint8_t> packed(const Column<std::uint8_t>& flags) {
    Column<std::uint8_t> bits((flags.size() + 7) / 8, std::uint8_t{0});
    std::size_t row = 0;
    for (; row + 8 <= flags.size(); row += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, flags.data() + row, 8);
        // The product gathers the lowest bit of each byte in the highest byte.
        bits[row / 8] = static_cast<std::uint8_t>((eight * 0x0102040810204080) >> 56);
    }
    for (; row < flags.size(); ++row) {
        bits[row / 8] = static_cast<std::uint8_t>(bits[row / 8] | flags[row] << (row % 8));
    }
    return bits;
}

void pack(std::vector<ColumnData>& columns) {
    for (ColumnData& column : columns) {
        column.valid = packed(column.valid);
        if (column.type == Type::boolean) {
            column.values = packed(column.values);
        }
        pack(column.children);
    }
}

}  // namespace pbf::decode
