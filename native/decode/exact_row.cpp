#include "decode/exact_row.hpp"

namespace pbf::decode {

ExactRow::ExactRow(std::size_t fields) : cells(fields) {}

void ExactRow::clear() noexcept {
    for (const std::uint32_t field : order) {
        cells[field].has_come = false;
        cells[field].valid = false;
    }
    order.clear();
}

void write_row(const std::vector<Field>& fields, const ExactRow& from, std::vector<ColumnData>& columns,
               std::size_t row) {
    for (const std::uint32_t field : from.order) {
        const Cell& cell = from.cells[field];
        ColumnData& column = columns[field];
        if (!cell.valid) {
            continue;
        }
        switch (column.type) {
            case Type::string: column.store_text(row, cell.text); break;
            case Type::float64: column.store(row, cell.float64); break;
            case Type::float32: column.store(row, cell.float32); break;
            case Type::int8: column.store(row, static_cast<std::int8_t>(cell.integer)); break;
            case Type::int16: column.store(row, static_cast<std::int16_t>(cell.integer)); break;
            case Type::int32: column.store(row, static_cast<std::int32_t>(cell.integer)); break;
            case Type::int64: column.store(row, cell.integer); break;
            case Type::boolean: column.store(row, static_cast<std::uint8_t>(cell.integer)); break;
            case Type::structure:
                column.valid[row] = 1;
                write_row(fields[field].fields, cell.fields, column.children, row);
                break;
        }
    }
}

std::string unstorable_detail(const std::vector<Field>& fields, const ExactRow& row,
                              const std::string& parent) {
    for (const std::uint32_t number : row.order) {
        const Field& field = fields[number];
        const Cell& cell = row.cells[number];
        if (!cell.valid) {
            continue;
        }
        if (field.type == Type::structure) {
            std::string detail = unstorable_detail(field.fields, cell.fields, parent + field.name + ".");
            if (!detail.empty()) {
                return detail;
            }
        } else if (field.type == Type::string) {
            if (cell.text.find('\0') != std::string::npos) {
                return parent + field.name + " holds U+0000";
            }
            if (cell.text.size() > kMaxStoredBytes) {
                return parent + field.name + " is longer than " + std::to_string(kMaxStoredBytes) + " bytes";
            }
        }
    }
    return {};
}

}  // namespace pbf::decode
