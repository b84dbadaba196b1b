#include "decode/fast_json.hpp"

#include <cstring>
#include <limits>
#include <string_view>

#include "decode/fast_number.hpp"
#include "decode/fast_text.hpp"

namespace pbf::decode {
namespace {

using Target = FastReader::Target;

constexpr int kMaxDepth = 64;

class RecordReader {
  public:
    RecordReader(Value value, std::size_t row, std::int64_t record) noexcept
        : at_(value.data), end_(value.data + value.size), row_(row), record_(record) {}

    bool read(std::vector<Target>& targets) { return starts_with('{') && object(targets); }

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
            if (target->seen_in == record_) {
                return false;  // which of two values counts is not for here to say
            }
            target->seen_in = record_;
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
                column.store_text(row_, found);
                return true;
            }
            case Type::float64: {
                double found = 0;
                if (!read_double(at_, end_, found)) {
                    return false;
                }
                column.store(row_, found);
                return true;
            }
            case Type::float32: {
                float found = 0;
                if (!read_float(at_, end_, found)) {
                    return false;
                }
                column.store(row_, found);
                return true;
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
                column.store(row_, static_cast<std::uint8_t>(found));
                return true;
            }
            case Type::structure:
                if (!starts_with('{') || !object(target.children)) {
                    return false;
                }
                column.valid[row_] = 1;
                return true;
        }
        return false;
    }

    template <typename T>
    bool integer(ColumnData& column) {
        std::int64_t found = 0;
        if (!read_integer(at_, end_, found) || found < std::numeric_limits<T>::min() ||
            found > std::numeric_limits<T>::max()) {
            return false;
        }
        column.store(row_, static_cast<T>(found));
        return true;
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

    const std::uint8_t* at_;
    const std::uint8_t* end_;
    std::size_t row_;
    std::int64_t record_;
};

std::vector<Target> make_targets(const std::vector<Field>& fields, std::vector<ColumnData>& columns) {
    std::vector<Target> targets;
    targets.reserve(fields.size());
    for (std::size_t index = 0; index < fields.size(); ++index) {
        targets.push_back({&fields[index], &columns[index],
                           make_targets(fields[index].fields, columns[index].children)});
    }
    return targets;
}

}  // namespace

FastReader::FastReader(const std::vector<Field>& fields, std::vector<ColumnData>& columns)
    : targets_(make_targets(fields, columns)) {}

bool FastReader::read(Value value, std::size_t row) {
    if (value.data == nullptr || value.size > kMaxRecordBytes) {
        return false;
    }
    return RecordReader(value, row, ++record_).read(targets_);
}

}  // namespace pbf::decode
