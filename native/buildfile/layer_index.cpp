#include "buildfile/layer_index.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace pbf::buildfile {

void check_disjoint(const std::vector<IndexEntry>& entries, const std::vector<LayerInfo>& layers) {
    std::vector<std::size_t> order(layers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&layers](std::size_t left, std::size_t right) {
        return layers[left].offset != layers[right].offset
                   ? layers[left].offset < layers[right].offset
                   : left < right;
    });
    for (std::size_t place = 1; place < order.size(); ++place) {
        const LayerInfo& before = layers[order[place - 1]];
        if (layers[order[place]].offset - before.offset < before.size) {
            throw FormatError(ErrorCode::inconsistent, entries[order[place]].entry_offset,
                              "the index says that layer " + std::to_string(order[place]) +
                                  " begins within layer " + std::to_string(order[place - 1]));
        }
    }
}

void note_order(const std::vector<IndexEntry>& entries, std::vector<Damage>& warnings) {
    for (std::size_t layer = 1; layer < entries.size(); ++layer) {
        if (entries[layer].z_mm < entries[layer - 1].z_mm) {
            warnings.push_back({ErrorCode::inconsistent, entries[layer].entry_offset,
                                static_cast<std::int64_t>(layer),
                                "it lies lower than the layer before it"});
            return;
        }
    }
}

std::vector<LayerInfo> recover_layers(std::uint64_t start, std::uint64_t stop,
                                      std::vector<IndexEntry> entries, std::uint64_t max_layers,
                                      const std::function<Step(std::uint64_t)>& step,
                                      std::vector<Damage>& damage) {
    std::sort(entries.begin(), entries.end(), [](const IndexEntry& left, const IndexEntry& right) {
        return left.layer_offset < right.layer_offset;
    });
    std::vector<LayerInfo> layers;
    auto next_entry = entries.begin();
    std::uint64_t position = start;
    while (position < stop) {
        next_entry = std::find_if(next_entry, entries.end(), [position](const IndexEntry& entry) {
            return entry.layer_offset >= position;
        });
        const bool named = next_entry != entries.end() && next_entry->layer_offset == position;
        const double z_mm =
            named ? next_entry->z_mm : std::numeric_limits<double>::quiet_NaN();
        const auto behind = std::find_if(next_entry, entries.end(), [position](const auto& entry) {
            return entry.layer_offset > position;
        });
        const std::uint64_t resume =
            behind == entries.end() ? stop : std::min(stop, behind->layer_offset);
        Step found{std::nullopt, resume};
        try {
            found = step(position);
        } catch (const FormatError& error) {
            damage.push_back({error.code(), error.offset(), -1, error.what()});
        }
        // A section that is no layer cannot hold layers that the index names.
        if (found.damaged || found.next <= position || (!found.layer && found.next > resume)) {
            found.next = resume;
        }
        if (found.layer) {
            if (layers.size() >= max_layers) {
                throw FormatError(ErrorCode::limit_exceeded, position,
                                  "there are more than max_layers = " +
                                      std::to_string(max_layers) + " layers");
            }
            LayerInfo layer = *found.layer;
            layer.size = found.next - position;
            layer.z_mm = named && !std::isnan(z_mm) ? z_mm : layer.z_mm;
            layers.push_back(layer);
        }
        position = found.next;
    }
    return layers;
}

}  // namespace pbf::buildfile
