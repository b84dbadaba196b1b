// What readers share whose files have an index of layers: its checks, and a way on without it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "buildfile/model.hpp"

namespace pbf::buildfile {

// What needs every byte of a file (checksums, totals) is looked at on opening up to this size only:
// opening a large file is to stay quick.
inline constexpr std::uint64_t kLookedThroughBytes = std::uint64_t{16} << 20;

// A layer as an index names it.
struct IndexEntry {
    std::uint64_t layer_offset;
    double z_mm;
    std::uint64_t entry_offset;  // of the entry itself, for errors
};

// Throws `inconsistent` if two entries, in the order of `entries`, share bytes. Without this a small
// index could name one large layer a million times.
void check_disjoint(const std::vector<IndexEntry>& entries, const std::vector<LayerInfo>& layers);

// A note if z does not ascend.
void note_order(const std::vector<IndexEntry>& entries, std::vector<Damage>& warnings);

// What stands at a position of the layer data.
struct Step {
    std::optional<LayerInfo> layer;  // z_mm: NaN, or what the layer itself says
    std::uint64_t next;
    bool damaged = false;  // a layer begins here, but where it ends is unclear
};

// Layers of [start, stop) without trust in the index: one step after the other, and behind damage on to
// the next layer that the index names. `entries` are those that can be believed. A layer with damage
// stays in the list, so that reading it says what is wrong. `step` throws where nothing begins.
std::vector<LayerInfo> recover_layers(std::uint64_t start, std::uint64_t stop,
                                      std::vector<IndexEntry> entries, std::uint64_t max_layers,
                                      const std::function<Step(std::uint64_t)>& step,
                                      std::vector<Damage>& damage);

}  // namespace pbf::buildfile
