#include "decode/wanted.hpp"

#include <algorithm>
#include <numeric>

#include "decode/java_text.hpp"

namespace pbf::decode {

Wanted::Wanted(const std::vector<Field>& fields) : fields_(&fields) {
    for (const Field& field : fields) {
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(field.name.data());
        decode_utf8({bytes, field.name.size()}, names_.emplace_back());
        inner_.emplace_back(field.fields);
    }
    sorted_.resize(fields.size());
    std::iota(sorted_.begin(), sorted_.end(), std::size_t{0});
    std::sort(sorted_.begin(), sorted_.end(),
              [&](std::size_t left, std::size_t right) { return names_[left] < names_[right]; });
}

std::optional<std::size_t> Wanted::find(std::u16string_view name, std::size_t& expected) const noexcept {
    if (expected < names_.size() && names_[expected] == name) {
        return expected++;
    }
    const auto found = std::partition_point(sorted_.begin(), sorted_.end(),
                                            [&](std::size_t field) { return names_[field] < name; });
    if (found == sorted_.end() || names_[*found] != name) {
        return std::nullopt;
    }
    expected = *found + 1;
    return *found;
}

}  // namespace pbf::decode
