// The fields of a schema by their names, as the exact reader looks for them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decode/schema.hpp"

namespace pbf::decode {

class Wanted {
  public:
    // Keeps a reference to the fields.
    explicit Wanted(const std::vector<Field>& fields);

    const std::vector<Field>& fields() const noexcept { return *fields_; }
    // Fields of the structure that a field is.
    const Wanted& inside(std::size_t field) const noexcept { return inner_[field]; }
    // The field of a name, as code units. Names mostly come in the order of the schema: `expected`.
    std::optional<std::size_t> find(std::u16string_view name, std::size_t& expected) const noexcept;

  private:
    const std::vector<Field>* fields_;
    std::vector<std::u16string> names_;
    std::vector<std::size_t> sorted_;  // indices, by name
    std::vector<Wanted> inner_;        // of scalars without fields
};

}  // namespace pbf::decode
