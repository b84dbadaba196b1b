#include "buildfile/cli.hpp"

#include <cmath>

#include "buildfile/formats.hpp"

namespace pbf::buildfile {
namespace cli {
namespace {

constexpr std::size_t kMostDamage = 1000;

}  // namespace

CliReader::CliReader(std::shared_ptr<const ByteSource> source, const OpenOptions& options,
                     const Framing& framing, Header&& header, std::vector<Damage>&& warnings)
    : BuildReader(std::move(source), options.limits),
      framing_(framing),
      tolerate_damage_(options.tolerate_damage) {
    header_ = std::move(header);
    warnings_ = std::move(warnings);
}

void CliReader::begin_layer(std::size_t offset, double z_mm) {
    if (layers_.size() >= limits_.max_layers) {
        throw FormatError(ErrorCode::limit_exceeded, offset,
                          "there are more layers than max_layers = " +
                              std::to_string(limits_.max_layers));
    }
    end_layers(offset);
    layers_.push_back({z_mm, offset, 0});
}

void CliReader::end_layers(std::size_t offset) {
    if (!layers_.empty()) {
        layers_.back().size = offset - layers_.back().offset;
    }
}

void CliReader::damaged(const FormatError& error) {
    if (!tolerate_damage_ || error.code() == ErrorCode::limit_exceeded) {
        throw error;
    }
    if (damage_.size() < kMostDamage) {
        damage_.push_back({error.code(), error.offset(),
                           static_cast<std::int64_t>(layers_.size()) - 1, error.what()});
    } else if (damage_.size() == kMostDamage) {
        damage_.push_back({error.code(), error.offset(), -1, "damage behind this is not listed"});
    }
}

void CliReader::warn(ErrorCode code, std::size_t offset, std::string message) {
    warnings_.push_back({code, offset, -1, std::move(message)});
}

void CliReader::warn_of_second_geometry(std::size_t offset) {
    if (const auto found = second_geometry(bytes().subspan(offset))) {
        warn(ErrorCode::inconsistent, offset + *found,
             "a further $$GEOMETRYSTART stands behind $$GEOMETRYEND: what follows is not read");
    }
}

void CliReader::check_declared() {
    const std::size_t end = framing_.geometry;
    if (header_.declared_layers &&
        static_cast<std::uint64_t>(*header_.declared_layers) != layers_.size()) {
        warn(ErrorCode::inconsistent, end,
             "$$LAYERS declares " + std::to_string(*header_.declared_layers) + " layers, there are " +
                 std::to_string(layers_.size()));
    }
    for (std::size_t layer = 1; layer < layers_.size(); ++layer) {
        if (layers_[layer].z_mm < layers_[layer - 1].z_mm) {
            warn(ErrorCode::inconsistent, layers_[layer].offset,
                 "layer " + std::to_string(layer) + " lies below the one before");
            break;
        }
    }
    if (header_.dimension_mm && highest_ && *highest_ < layers_.size()) {
        // Only above: a layer below the part may say where the first one begins.
        const double top = (*header_.dimension_mm)[5];
        const LayerInfo& layer = layers_[*highest_];
        if (layer.z_mm > top + 1e-6 * std::abs(top) + framing_.unit_mm) {
            warn(ErrorCode::inconsistent, layer.offset,
                 "layer " + std::to_string(*highest_) + " lies above the $$DIMENSION");
        }
    }
}

void CliReader::has_geometry() noexcept {
    const std::size_t last = layers_.size() - 1;
    if (!highest_ || layers_[last].z_mm > layers_[*highest_].z_mm) {
        highest_ = last;
    }
}

Closed CliReader::closedness(const Geometries& out) {
    const auto first = static_cast<std::size_t>(out.offset.back());
    const std::size_t last = out.x_mm.size() - 1;
    return out.count.back() >= 3 && out.x_mm[first] == out.x_mm[last] &&
                   out.y_mm[first] == out.y_mm[last]
               ? Closed::yes
               : Closed::no;
}

}  // namespace cli

bool recognises_cli(Bytes bytes) noexcept { return cli::has_header(bytes); }

std::unique_ptr<BuildReader> open_cli(Source source, const OpenOptions& options) {
    Header header;
    std::vector<Damage> warnings;
    const cli::Framing framing =
        cli::read_header(source->bytes(), options.limits, header, warnings);
    return (framing.binary ? cli::open_binary : cli::open_ascii)(
        std::move(source), options, framing, std::move(header), std::move(warnings));
}

}  // namespace pbf::buildfile
