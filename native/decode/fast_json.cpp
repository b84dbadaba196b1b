#include "decode/fast_json.hpp"

#include <cstring>
#include <limits>
#include <string_view>

#include "decode/fast_number.hpp"
#include "decode/fast_text.hpp"

namespace pbf::decode {
namespace {

constexpr int kMaxDepth = 64;

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

// The schema with the columns that it fills, and what is needed while a record is read.
struct Target {
    const Field* field;
    ColumnData* column;
    std::vector<Target> children;
    std::int64_t seen_in = -1;  // the last row in which the name came
};

std::vector<ColumnData> make_columns(const std::vector<Field>& fields, std::size_t rows) {
    std::vector<ColumnData> columns;
    columns.reserve(fields.size());
    for (const Field& field : fields) {
        ColumnData column{.type = field.type, .valid = {}, .values = {}, .offsets = {}, .children = {}};
        column.valid.assign(rows, 0);
        if (field.type == Type::string) {
            column.offsets.assign(rows + 1, 0);
        } else if (field.type == Type::structure) {
            column.children = make_columns(field.fields, rows);
        } else {
            // Also where a row is null: bytes that were never written must not reach a file.
            column.values.assign(rows * width_of(field.type), 0);
        }
        columns.push_back(std::move(column));
    }
    return columns;
}

std::vector<Target> make_targets(const std::vector<Field>& fields, std::vector<ColumnData>& columns) {
    std::vector<Target> targets;
    targets.reserve(fields.size());
    for (std::size_t index = 0; index < fields.size(); ++index) {
        targets.push_back({&fields[index], &columns[index],
                           make_targets(fields[index].fields, columns[index].children)});
    }
    return targets;
}

class RecordReader {
  public:
    RecordReader(std::vector<Target>& targets) noexcept : targets_(targets) {}

    // True if the record was taken. Else its row holds what had been read so far.
    bool read(const Value& value, std::size_t row) {
        if (value.data == nullptr || value.size > kMaxRecordBytes) {
            return false;
        }
        at_ = value.data;
        end_ = value.data + value.size;
        row_ = row;
        return starts_with('{') && object(targets_);
    }

  private:
    void skip_space() noexcept {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
            ++at_;
        }
    }

    // Passes over white space and the given character, if it is there.
    bool starts_with(char wanted) noexcept {
        skip_space();
        if (at_ == end_ || *at_ != static_cast<std::uint8_t>(wanted)) {
            return false;
        }
        ++at_;
        return true;
    }

    bool literal(std::string_view word) noexcept {
        if (static_cast<std::size_t>(end_ - at_) < word.size() ||
            std::memcmp(at_, word.data(), word.size()) != 0) {
            return false;
        }
        at_ += word.size();
        return true;
    }

    // A string whose opening quote is next.
    bool text(std::string_view& out) noexcept {
        if (!starts_with('"')) {
            return false;
        }
        const std::uint8_t* closing = find_plain_string_end(at_, end_);
        if (closing == nullptr) {
            return false;
        }
        out = {reinterpret_cast<const char*>(at_), static_cast<std::size_t>(closing - at_)};
        at_ = closing + 1;
        return true;
    }

    // The members of an object whose brace has been read.
    bool object(std::vector<Target>& targets) {
        if (starts_with('}')) {
            return true;
        }
        std::size_t expected = 0;
        do {
            std::string_view name;
            if (!text(name) || !starts_with(':')) {
                return false;
            }
            skip_space();
            Target* target = find(targets, name, expected);
            if (target == nullptr) {
                if (!skip_value(0)) {
                    return false;
                }
                continue;
            }
            const auto row = static_cast<std::int64_t>(row_);
            if (target->seen_in == row) {
                return false;  // which of two values counts is not for here to say
            }
            target->seen_in = row;
            if (!value(*target)) {
                return false;
            }
        } while (starts_with(','));
        return starts_with('}');
    }

    // Names mostly come in the order of the schema.
    static Target* find(std::vector<Target>& targets, std::string_view name, std::size_t& expected) {
        if (expected < targets.size() && targets[expected].field->name == name) {
            return &targets[expected++];
        }
        for (std::size_t index = 0; index < targets.size(); ++index) {
            if (targets[index].field->name == name) {
                expected = index + 1;
                return &targets[index];
            }
        }
        return nullptr;
    }

    bool value(Target& target) {
        if (at_ == end_) {
            return false;
        }
        if (*at_ == 'n') {
            return literal("null");
        }
        ColumnData& column = *target.column;
        switch (column.type) {
            case Type::string: {
                std::string_view found;
                if (*at_ != '"' || !text(found)) {
                    return false;
                }
                std::memcpy(grow(column.values, found.size()), found.data(), found.size());
                break;
            }
            case Type::float64: {
                double found = 0;
                if (!read_double(at_, end_, found)) {
                    return false;
                }
                store(column, found);
                break;
            }
            case Type::float32: {
                float found = 0;
                if (!read_float(at_, end_, found)) {
                    return false;
                }
                store(column, found);
                break;
            }
            case Type::int8: return integer<std::int8_t>(column);
            case Type::int16: return integer<std::int16_t>(column);
            case Type::int32: return integer<std::int32_t>(column);
            case Type::int64: return integer<std::int64_t>(column);
            case Type::boolean: {
                const bool found = literal("true");
                if (!found && !literal("false")) {
                    return false;
                }
                store(column, static_cast<std::uint8_t>(found));
                break;
            }
            case Type::structure:
                if (!starts_with('{') || !object(target.children)) {
                    return false;
                }
                break;
        }
        column.valid[row_] = 1;
        return true;
    }

    template <typename T>
    bool integer(ColumnData& column) {
        std::int64_t found = 0;
        if (!read_integer(at_, end_, found) || found < std::numeric_limits<T>::min() ||
            found > std::numeric_limits<T>::max()) {
            return false;
        }
        store(column, static_cast<T>(found));
        column.valid[row_] = 1;
        return true;
    }

    template <typename T>
    void store(ColumnData& column, T found) noexcept {
        std::memcpy(column.values.data() + row_ * sizeof(T), &found, sizeof(T));
    }

    // A value of a field that nobody wants: it must be well formed all the same.
    bool skip_value(int depth) {
        if (at_ == end_ || depth > kMaxDepth) {
            return false;
        }
        std::string_view passed;
        double number = 0;
        switch (*at_) {
            case '"': return text(passed);
            case 't': return literal("true");
            case 'f': return literal("false");
            case 'n': return literal("null");
            case '{':
                ++at_;
                if (starts_with('}')) {
                    return true;
                }
                do {
                    if (!text(passed) || !starts_with(':')) {
                        return false;
                    }
                    skip_space();
                    if (!skip_value(depth + 1)) {
                        return false;
                    }
                } while (starts_with(','));
                return starts_with('}');
            case '[':
                ++at_;
                if (starts_with(']')) {
                    return true;
                }
                do {
                    skip_space();
                    if (!skip_value(depth + 1)) {
                        return false;
                    }
                } while (starts_with(','));
                return starts_with(']');
            default: return read_double(at_, end_, number);
        }
    }

    std::vector<Target>& targets_;
    const std::uint8_t* at_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    std::size_t row_ = 0;
};

// Ends the row in every string column; a doubtful row first loses what it had.
void end_row(std::vector<ColumnData>& columns, std::size_t row, bool taken) {
    for (ColumnData& column : columns) {
        if (!taken) {
            column.valid[row] = 0;
        }
        if (column.type == Type::string) {
            if (!taken) {
                column.values.resize(static_cast<std::size_t>(column.offsets[row]));
            }
            if (column.values.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
                throw FormatError(ErrorCode::limit_exceeded, row,
                                  "the strings of a batch take more than 2 GiB; give smaller batches");
            }
            column.offsets[row + 1] = static_cast<std::int32_t>(column.values.size());
        } else if (column.type == Type::structure) {
            end_row(column.children, row, taken);
        } else if (!taken) {
            const std::size_t width = width_of(column.type);
            std::memset(column.values.data() + row * width, 0, width);
        }
    }
}

}  // namespace

Decoded decode(const std::vector<Field>& schema, const std::vector<Value>& values) {
    Decoded out;
    out.columns = make_columns(schema, values.size());
    std::vector<Target> targets = make_targets(schema, out.columns);
    RecordReader reader(targets);
    for (std::size_t row = 0; row < values.size(); ++row) {
        const bool taken = reader.read(values[row], row);
        end_row(out.columns, row, taken);
        if (!taken) {
            out.doubtful.push_back(static_cast<std::int64_t>(row));
        }
    }
    return out;
}

}  // namespace pbf::decode
