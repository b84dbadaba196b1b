// What is wanted of a record, and the values that come in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pbf::decode {

enum class Type : std::uint8_t { string, float64, float32, int8, int16, int32, int64, boolean, structure };

struct Field {
    std::string name;
    Type type;
    std::vector<Field> fields;  // of a structure
};

// A value of a batch; data is nullptr for a record without a value.
struct Value {
    const std::uint8_t* data;
    std::size_t size;
};

}  // namespace pbf::decode
