// The table of layers of an MTT or SLM file: where each layer is, and how high.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "buildfile/layer_index.hpp"
#include "buildfile/tlv_section.hpp"
#include "core/byte_source.hpp"

namespace pbf::buildfile::tlv {

// The layer that begins at a position; `whole`: only if it also ends within the file.
std::optional<LayerInfo> layer_at(Bytes bytes, std::uint64_t position, bool whole) noexcept;

class LayerTable {
  public:
    // Heights are NaN where the file does not say what they are in.
    LayerTable(const ByteSource& source, const Limits& limits,
               std::optional<std::uint64_t> z_units_per_mm) noexcept
        : source_(source), limits_(limits), z_units_per_mm_(z_units_per_mm.value_or(0)) {}

    struct Content {
        std::vector<IndexEntry> entries;
        std::vector<LayerInfo> layers;  // as many
        std::uint64_t end;
    };

    // The table at `position`, which stands at `position_offset` of the header. Throws at any damage.
    Content read(std::uint64_t position, std::uint64_t position_offset) const;

    // The layers from `begin` by their own lengths, with the help of what a table still says: the one
    // at `position`, or else one that is found behind the layers.
    std::vector<LayerInfo> recover(std::uint64_t begin, std::optional<std::uint64_t> position,
                                   std::vector<Damage>& damage) const;

  private:
    Section section_at(std::uint64_t position, std::uint64_t position_offset) const;
    IndexEntry entry(const Section& section) const;
    std::vector<IndexEntry> believed(std::uint64_t position) const;
    Step step(std::uint64_t position) const;
    Bytes bytes() const noexcept { return source_.bytes(); }
    double height(std::uint64_t units) const noexcept;

    const ByteSource& source_;
    const Limits& limits_;
    std::uint64_t z_units_per_mm_;
};

}  // namespace pbf::buildfile::tlv
