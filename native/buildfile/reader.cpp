#include "buildfile/reader.hpp"

#include <new>
#include <string>

namespace pbf::buildfile {

void BuildReader::read_layer(std::size_t index, Geometries& out) const {
    if (index >= layers_.size()) {
        throw FormatError(ErrorCode::bad_offset, source_->size(),
                          "there is no layer " + std::to_string(index) + ", there are " +
                              std::to_string(layers_.size()));
    }
    const Geometries::Mark begin = out.mark();
    try {
        decode_layer(index, out);
    } catch (const FormatError&) {
        out.rewind(begin);
        throw;
    } catch (const std::bad_alloc&) {
        out.rewind(begin);
        throw FormatError(ErrorCode::out_of_memory, layers_[index].offset,
                          "there is no memory for layer " + std::to_string(index));
    }
}

void BuildReader::check_layer_limits(const Geometries& out, Geometries::Mark begin,
                                     std::uint64_t points, std::uint64_t offset) const {
    if (out.layer.size() - begin.geometries >= limits_.max_geometries_per_layer) {
        throw FormatError(ErrorCode::limit_exceeded, offset,
                          "a layer has more than max_geometries_per_layer = " +
                              std::to_string(limits_.max_geometries_per_layer) + " geometries");
    }
    if (points > limits_.max_points_per_layer - (out.x_mm.size() - begin.points)) {
        throw FormatError(ErrorCode::limit_exceeded, offset,
                          "a layer has more than max_points_per_layer = " +
                              std::to_string(limits_.max_points_per_layer) + " points");
    }
}

}  // namespace pbf::buildfile
