// Records: what the fast reader takes it must read as the exact one does, and every way of decoding
// keeps its books.
#include <cmath>
#include <cstring>
#include <vector>

#include "decode/batch.hpp"
#include "fuzz/finding.hpp"
#include "fuzz/target.hpp"

namespace pbf::fuzz {
namespace {

using decode::ColumnData;
using decode::Decoded;
using decode::Mode;
using decode::Type;
using decode::Value;

// Every type, and names that a search finds.
const decode::Schema& schema() {
    static const decode::Schema found({{"s", Type::string, {}},
                                       {"d", Type::float64, {}},
                                       {"f", Type::float32, {}},
                                       {"b", Type::int8, {}},
                                       {"h", Type::int16, {}},
                                       {"i", Type::int32, {}},
                                       {"l", Type::int64, {}},
                                       {"o", Type::boolean, {}},
                                       {"m", Type::structure, {{"s", Type::string, {}}, {"d", Type::float64, {}}}},
                                       {"\xC3\xA9\xF0\x9F\x98\x80", Type::string, {}}});
    return found;
}

void check_text(const ColumnData& column) {
    for (std::size_t row = 0; row + 1 < column.offsets.size(); ++row) {
        if (column.offsets[row] > column.offsets[row + 1]) {
            finding("offsets go back");
        }
        if (column.valid[row] == 0 && column.offsets[row] != column.offsets[row + 1]) {
            finding("a null has text");
        }
    }
    if (static_cast<std::size_t>(column.offsets.back()) != column.values.size()) {
        finding("text that belongs to no row");
    }
    // What Arrow calls a string must be UTF-8.
    const std::uint8_t* at = column.values.data();
    const std::uint8_t* const end = at + column.values.size();
    const auto continues = [&](int count) {
        for (; count > 0; --count) {
            if (++at == end || (*at & 0xC0) != 0x80) {
                finding("text that is not UTF-8");
            }
        }
    };
    for (; at != end; ++at) {
        if (*at >= 0x80) {
            continues(*at >= 0xF0 ? 3 : *at >= 0xE0 ? 2 : 1);
        }
    }
}

void check(const std::vector<ColumnData>& columns, std::size_t rows) {
    for (const ColumnData& column : columns) {
        if (column.valid.size() != rows) {
            finding("columns differ in length");
        }
        if (column.type == Type::string) {
            check_text(column);
        }
        check(column.children, rows);
    }
}

bool same(const std::vector<ColumnData>& left, const std::vector<ColumnData>& right) {
    for (std::size_t column = 0; column < left.size(); ++column) {
        if (left[column].valid != right[column].valid || left[column].offsets != right[column].offsets ||
            left[column].values != right[column].values ||
            !same(left[column].children, right[column].children)) {
            return false;
        }
    }
    return true;
}

Decoded decoded(const std::vector<Value>& values, Mode mode, bool all_exactly) {
    Decoded out = decode::decode(schema(), values, mode, all_exactly);
    if (out.failure) {
        if (mode != Mode::fail_fast || out.failure->what.empty()) {
            finding("a failure where none is");
        }
        return out;
    }
    if (out.rows != out.indices.size() || out.rows != out.flagged.size()) {
        finding("rows without an index");
    }
    check(out.columns, out.rows);
    check_text(out.rejects.reason);
    check_text(out.rejects.detail);
    if (out.corrupt_record) {
        check_text(*out.corrupt_record);
    }
    return out;
}

Decoded both_ways(const std::vector<Value>& values, Mode mode) {
    Decoded fast = decoded(values, mode, false);
    const Decoded exact = decoded(values, mode, true);
    if (exact.exact > values.size() || fast.exact > exact.exact) {
        finding("a count that cannot be");
    }
    if (fast.failure.has_value() != exact.failure.has_value() ||
        (fast.failure && (fast.failure->index != exact.failure->index || fast.failure->what != exact.failure->what))) {
        finding("the readers fail differently");
    }
    if (fast.failure) {
        return fast;
    }
    if (fast.indices != exact.indices || fast.flagged != exact.flagged || !same(fast.columns, exact.columns)) {
        finding("the fast reader and the exact one differ");
    }
    if (fast.rejects.index != exact.rejects.index || fast.rejects.detail.values != exact.rejects.detail.values) {
        finding("the readers reject differently");
    }
    return fast;
}

}  // namespace

void run_records(const std::uint8_t* data, std::size_t size) {
    // The input whole, and as a batch of its lines.
    static constexpr std::uint8_t nothing = 0;
    std::vector<Value> batch{{size == 0 ? &nothing : data, size}, {nullptr, 0}};
    for (std::size_t first = 0; first < size;) {
        const void* const found = std::memchr(data + first, '\n', size - first);
        const std::size_t last = found == nullptr
                                     ? size
                                     : static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - data);
        batch.push_back({data + first, last - first});
        first = last + 1;
    }
    const Decoded permissive = both_ways(batch, Mode::permissive);
    const Decoded dropping = both_ways(batch, Mode::drop_malformed);
    const Decoded setting_aside = both_ways(batch, Mode::dead_letter);
    const Decoded failing = both_ways(batch, Mode::fail_fast);
    if (permissive.rows != batch.size()) {
        finding("a value without a row");
    }
    if (setting_aside.rows + setting_aside.rejects.index.size() != batch.size()) {
        finding("a value neither kept nor rejected");
    }
    bool corrupt = false;
    for (std::size_t row = 0; row < permissive.rows; ++row) {
        corrupt = corrupt || permissive.corrupt_record->valid[row] != 0;
    }
    if (corrupt != failing.failure.has_value() || dropping.rows > permissive.rows) {
        finding("the modes differ on what is corrupt");
    }
}

}  // namespace pbf::fuzz
