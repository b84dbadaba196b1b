// JSON records to columns, for records that leave no doubt.
//
// A record is taken only where every exact reader must agree with this one: strict JSON (and bare NaN,
// Infinity, -Infinity), no escapes, well-formed UTF-8, no wanted name twice, every wanted value of its
// column's own type and in its range, and too short for any limit of length, depth or digits to be
// near. Whatever is not surely so is *doubtful* and left to the exact reader. So this file need not know
// what Spark does with records that are odd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decode/columns.hpp"
#include "decode/schema.hpp"

namespace pbf::decode {

// Longest record that is taken: shorter than the first buffer of the exact reader.
inline constexpr std::size_t kMaxRecordBytes = 3999;

class FastReader {
  public:
    // A wanted field, the column that it fills, and what is needed while a record is read.
    struct Target {
        const Field* field;
        ColumnData* column;
        std::vector<Target> children;
        std::int64_t seen_in = -1;      // the last record in which the name came
        std::uint64_t quoted[2] = {};   // a short plain name in quotes, and which bytes count
        std::uint64_t mask[2] = {};
        std::uint8_t quoted_size = 0;   // 0 if it is not short and plain
    };

    // Keeps references to both.
    FastReader(const std::vector<Field>& fields, std::vector<ColumnData>& columns);

    // True if the record was taken. Else its row holds what had been read so far: clear_row.
    bool read(Value value, std::size_t row);

  private:
    std::vector<Target> targets_;
    std::int64_t record_ = 0;
};

}  // namespace pbf::decode
