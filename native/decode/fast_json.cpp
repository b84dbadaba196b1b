#include "decode/fast_json.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "decode/fast_number.hpp"
#include "decode/fast_text.hpp"

namespace pbf::decode {
namespace {

using Target = FastReader::Target;

constexpr int kMaxDepth = 64;

constexpr std::ptrdiff_t kQuotedBytes = sizeof(Target::quoted);

// Reads one record. Positions go in and come out by value: bytes are written all the time, and a
// position in memory would have to be read back after each. No position: in doubt.
class RecordReader {
  public:
    using Place = const std::uint8_t*;

    RecordReader(Value value, std::size_t row, std::int64_t record) noexcept
        : begin_(value.data), end_(value.data + value.size), row_(row), record_(record) {}

    bool read(std::vector<Target>& targets) {
        const Place at = behind('{', begin_);
        return at != nullptr && object(at, targets) != nullptr;
    }

  private:
    Place behind_space(Place at) const noexcept {
        if (at != end_ && *at == ' ') {
            ++at;  // mostly one, or none
        }
        while (at != end_ && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
            ++at;
        }
        return at;
    }

    bool is(char wanted, Place at) const noexcept {
        return at != end_ && *at == static_cast<std::uint8_t>(wanted);
    }

    // Behind white space and the given character.
    Place behind(char wanted, Place at) const noexcept {
        at = behind_space(at);
        return is(wanted, at) ? at + 1 : nullptr;
    }

    Place literal(std::string_view word, Place at) const noexcept {
        return static_cast<std::size_t>(end_ - at) >= word.size() &&
                       std::memcmp(at, word.data(), word.size()) == 0
                   ? at + word.size()
                   : nullptr;
    }

    // A string.
    Place text(Place at, std::string_view& out) const noexcept {
        if (!is('"', at)) {
            return nullptr;
        }
        const Place closing = find_plain_string_end(++at, end_);
        if (closing == nullptr) {
            return nullptr;
        }
        out = {reinterpret_cast<const char*>(at), static_cast<std::size_t>(closing - at)};
        return closing + 1;
    }

    // The members of an object, from behind its brace.
    Place object(Place at, std::vector<Target>& targets) {
        at = behind_space(at);
        if (is('}', at)) {
            return at + 1;
        }
        std::size_t expected = 0;
        while (true) {
            Target* target = nullptr;
            if (expected < targets.size() && is_next(targets[expected], at)) {
                at += targets[expected].quoted_size;
                target = &targets[expected++];
            } else {
                std::string_view name;
                at = text(at, name);
                if (at == nullptr) {
                    return nullptr;
                }
                target = find(targets, name, expected);
            }
            at = behind(':', at);
            if (at == nullptr) {
                return nullptr;
            }
            at = behind_space(at);
            if (target == nullptr) {
                at = skip_value(at, 0);
            } else if (target->seen_in == record_) {
                return nullptr;  // which of two values counts is not for here to say
            } else {
                target->seen_in = record_;
                at = value(at, *target);
            }
            if (at == nullptr) {
                return nullptr;
            }
            at = behind_space(at);
            if (!is(',', at)) {
                return is('}', at) ? at + 1 : nullptr;
            }
            at = behind_space(at + 1);
        }
    }

    // Whether the name of a field in quotes comes next: names mostly come in the order of the schema,
    // and to compare is less work than to look for the end.
    bool is_next(const Target& target, Place at) const noexcept {
        if (target.quoted_size == 0 || end_ - at < kQuotedBytes) {
            return false;
        }
        std::uint64_t words[2];
        std::memcpy(words, at, kQuotedBytes);
        return (((words[0] ^ target.quoted[0]) & target.mask[0]) |
                ((words[1] ^ target.quoted[1]) & target.mask[1])) == 0;
    }

    static Target* find(std::vector<Target>& targets, std::string_view name, std::size_t& expected) {
        for (std::size_t index = 0; index < targets.size(); ++index) {
            if (targets[index].field->name == name) {
                expected = index + 1;
                return &targets[index];
            }
        }
        return nullptr;
    }

    Place value(Place at, Target& target) {
        if (is('n', at)) {
            return literal("null", at);
        }
        ColumnData& column = *target.column;
        switch (column.type) {
            case Type::string: {
                std::string_view found;
                at = text(at, found);
                if (at != nullptr) {
                    store_text(column, found);
                }
                return at;
            }
            case Type::float64: {
                double found = 0;
                at = read_double(at, end_, found);
                if (at != nullptr) {
                    column.store(row_, found);
                }
                return at;
            }
            case Type::float32: {
                float found = 0;
                at = read_float(at, end_, found);
                if (at != nullptr) {
                    column.store(row_, found);
                }
                return at;
            }
            case Type::int8: return integer<std::int8_t>(at, column);
            case Type::int16: return integer<std::int16_t>(at, column);
            case Type::int32: return integer<std::int32_t>(at, column);
            case Type::int64: return integer<std::int64_t>(at, column);
            case Type::boolean: {
                const bool found = is('t', at);
                at = literal(found ? "true" : "false", at);
                if (at != nullptr) {
                    column.store(row_, static_cast<std::uint8_t>(found));
                }
                return at;
            }
            case Type::structure:
                at = is('{', at) ? object(at + 1, target.children) : nullptr;
                if (at != nullptr) {
                    column.valid[row_] = 1;
                }
                return at;
        }
        return nullptr;
    }

    // As ColumnData's, but in whole steps where the record goes on behind the text for so long: short
    // texts cost no call.
    void store_text(ColumnData& column, std::string_view found) {
        const std::size_t steps = (found.size() + kTextStep - 1) / kTextStep;
        const auto* from = reinterpret_cast<const std::uint8_t*>(found.data());
        if (static_cast<std::size_t>(end_ - from) < steps * kTextStep) {
            column.store_text(row_, found);
            return;
        }
        std::uint8_t* to = column.room(steps * kTextStep);
        for (std::size_t step = 0; step < steps; ++step, from += kTextStep, to += kTextStep) {
            std::memcpy(to, from, kTextStep);
        }
        column.used += found.size();
        column.valid[row_] = 1;
    }

    template <typename T>
    Place integer(Place at, ColumnData& column) const noexcept {
        std::int64_t found = 0;
        at = read_integer(at, end_, found);
        if (at == nullptr || found < std::numeric_limits<T>::min() ||
            found > std::numeric_limits<T>::max()) {
            return nullptr;
        }
        column.store(row_, static_cast<T>(found));
        return at;
    }

    // A value of a field that nobody wants: it must be well formed all the same.
    Place skip_value(Place at, int depth) const noexcept {
        if (at == end_ || depth > kMaxDepth) {
            return nullptr;
        }
        std::string_view passed;
        double number = 0;
        switch (*at) {
            case '"': return text(at, passed);
            case 't': return literal("true", at);
            case 'f': return literal("false", at);
            case 'n': return literal("null", at);
            case '{':
            case '[': return skip_inside(at, depth);
            default: return read_double(at, end_, number);
        }
    }

    Place skip_inside(Place at, int depth) const noexcept {
        const bool named = is('{', at);
        const char closing = named ? '}' : ']';
        at = behind_space(at + 1);
        if (is(closing, at)) {
            return at + 1;
        }
        while (true) {
            if (named) {
                std::string_view name;
                at = text(at, name);
                at = at == nullptr ? nullptr : behind(':', at);
                if (at == nullptr) {
                    return nullptr;
                }
                at = behind_space(at);
            }
            at = skip_value(at, depth + 1);
            if (at == nullptr) {
                return nullptr;
            }
            at = behind_space(at);
            if (!is(',', at)) {
                return is(closing, at) ? at + 1 : nullptr;
            }
            at = behind_space(at + 1);
        }
    }

    Place begin_;
    Place end_;
    std::size_t row_;
    std::int64_t record_;
};

// A name that is written as it is: in a JSON text nothing else between quotes can stand for it then.
void quote(Target& target) noexcept {
    const std::string& name = target.field->name;
    const auto plain = [](char unit) { return unit >= 0x20 && unit < 0x7F && unit != '"' && unit != '\\'; };
    if (name.size() + 2 > kQuotedBytes || !std::all_of(name.begin(), name.end(), plain)) {
        return;
    }
    const std::string quoted = '"' + name + '"';
    const std::string ones(quoted.size(), '\xFF');
    std::memcpy(target.quoted, quoted.data(), quoted.size());
    std::memcpy(target.mask, ones.data(), ones.size());
    target.quoted_size = static_cast<std::uint8_t>(quoted.size());
}

std::vector<Target> make_targets(const std::vector<Field>& fields, std::vector<ColumnData>& columns) {
    std::vector<Target> targets;
    targets.reserve(fields.size());
    for (std::size_t index = 0; index < fields.size(); ++index) {
        targets.push_back({.field = &fields[index],
                           .column = &columns[index],
                           .children = make_targets(fields[index].fields, columns[index].children)});
        quote(targets.back());
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
