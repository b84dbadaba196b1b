#include "buildfile/model.hpp"

namespace pbf::buildfile {

void Geometries::rewind(Mark mark) {
    layer.resize(mark.geometries);
    geometry_id.resize(mark.geometries);
    kind.resize(mark.geometries);
    model_id.resize(mark.geometries);
    build_style_id.resize(mark.geometries);
    laser_id.resize(mark.geometries);
    closed.resize(mark.geometries);
    offset.resize(mark.geometries);
    count.resize(mark.geometries);
    x_mm.resize(mark.points);
    y_mm.resize(mark.points);
    warnings.erase(warnings.begin() + static_cast<std::ptrdiff_t>(mark.warnings), warnings.end());
    mended.erase(mended.begin() + static_cast<std::ptrdiff_t>(mark.mended), mended.end());
}

void Geometries::reserve(std::size_t geometries, std::size_t points) {
    reserve_more(layer, geometries);
    reserve_more(geometry_id, geometries);
    reserve_more(kind, geometries);
    reserve_more(model_id, geometries);
    reserve_more(build_style_id, geometries);
    reserve_more(laser_id, geometries);
    reserve_more(closed, geometries);
    reserve_more(offset, geometries);
    reserve_more(count, geometries);
    reserve_more(x_mm, points);
    reserve_more(y_mm, points);
}

Geometries::Points Geometries::add(std::int32_t layer_index, std::int32_t id, Kind geometry_kind,
                                   std::int32_t model, std::int32_t build_style,
                                   std::int32_t laser, Closed is_closed, std::size_t points) {
    layer.push_back(layer_index);
    geometry_id.push_back(id);
    kind.push_back(static_cast<std::uint8_t>(geometry_kind));
    model_id.push_back(model);
    build_style_id.push_back(build_style);
    laser_id.push_back(laser);
    closed.push_back(static_cast<std::uint8_t>(is_closed));
    offset.push_back(static_cast<std::int64_t>(x_mm.size()));
    count.push_back(static_cast<std::int64_t>(points));
    return {grow(x_mm, points), grow(y_mm, points)};
}

void Geometries::shorten_last(std::size_t points) {
    x_mm.resize(x_mm.size() - points);
    y_mm.resize(y_mm.size() - points);
    count.back() -= static_cast<std::int64_t>(points);
}

}  // namespace pbf::buildfile
