// Writes EOS SLI 1.03 as the files of EOS's own converter are laid out.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "buildfile/formats.hpp"
#include "buildfile/options.hpp"
#include "buildfile/sli_layout.hpp"
#include "core/shortest.hpp"

namespace pbf::buildfile {
namespace {

using namespace sli;

constexpr std::uint32_t kHeaderSize = 48;
constexpr std::size_t kInfo = 64;
constexpr std::size_t kSlices = kInfo + kInfoBytes;
constexpr std::size_t kMostOfRecord = std::numeric_limits<std::uint16_t>::max();
// A value this near to a whole unit is one that only float32 has moved.
constexpr double kNear = 0.02;

class SliWriter final : public BuildWriter {
  public:
    SliWriter(ByteSink& sink, const WriteOptions& options) : sink_(sink) {
        for (const auto& [name, value] : options) {
            if (name != "unit_mm") {
                unknown_option("SLI", name);
            }
            unit_mm_ = positive_option(name, value);
            unit_given_ = true;
        }
    }

    void begin(const Header& header) override {
        if (!unit_given_ && header.format == "sli" && header.unit_mm) {
            unit_mm_ = *header.unit_mm;
        }
        // What the file will say is a float32; readers take that for the decimal it was made from.
        if (const auto said = static_cast<float>(unit_mm_);
            !std::isfinite(said) || said <= 0.0F || said >= 1e6F || shortest_value(said) != unit_mm_) {
            refuse("a unit of " + shortest_text(unit_mm_) + " mm is no float32");
        }
        dimension_mm_ = header.dimension_mm;
        std::string creator = "pbf_ray";
        block_offset_ = kSlices - kHeaderSize;
        for (const auto& [key, value] : header.metadata) {
            if (key == "creator" && !value.empty()) {
                creator = value.substr(0, kCreatorBytes);
            } else if (key == "block_offset" && !header.raw_tags.empty()) {
                block_offset_ = offset_of(value);
            }
        }
        std::vector<std::uint8_t> start(kSlices, 0);
        std::fill_n(start.begin(), kVersionAt, std::uint8_t{' '});
        std::memcpy(start.data(), kMagic.data(), kMagic.size());
        std::fill_n(start.begin() + kInfo, kCreatorBytes, std::uint8_t{' '});
        std::memcpy(start.data() + kInfo, creator.data(), creator.size());
        for (const RawTag& tag : header.raw_tags) {
            if (tag.path == kBlockPath && start.size() == kSlices) {
                start.insert(start.end(), tag.bytes.begin(), tag.bytes.end());
            } else {
                lose("the raw tag " + tag.path);
            }
        }
        slices_ = start.size();
        sink_.write(start.data(), start.size());
        if (!header.models.empty()) {
            lose("models");
        }
        if (!header.build_styles.empty()) {
            lose("build styles");
        }
    }

    void layer(const LayerView& layer) override {
        const std::uint16_t z = height(layer.z_mm);
        index_.push_back({z, relative(sink_.position())});
        record_.clear();
        put<std::uint8_t>(kLayerStart);
        put(z);
        put(kLayerStartValue);
        put(kLayerStartValue);
        put<std::uint8_t>(0);
        for (std::size_t row = 0; row < layer.kind.size(); ++row) {
            geometry(layer, row);
        }
        put<std::uint8_t>(kLayerEnd);
        sink_.write(record_.data(), record_.size());
    }

    void finish() override {
        const std::uint32_t index = relative(sink_.position());
        std::vector<std::uint8_t> entries(index_.size() * kEntryBytes);
        for (std::size_t layer = 0; layer < index_.size(); ++layer) {
            std::memcpy(entries.data() + layer * kEntryBytes, &index_[layer].z, 2);
            std::memcpy(entries.data() + layer * kEntryBytes + 2, &index_[layer].offset, 4);
        }
        sink_.write(entries.data(), entries.size());
        patch(kVersionAt, kVersion);
        patch(kVersionAt + 2, std::uint16_t{1});
        patch(kHeaderSizeAt, kHeaderSize);
        patch(kInfoAt, static_cast<std::uint32_t>(kInfo - kHeaderSize));
        patch(kBlockAt, block_offset_);
        patch(kSlicesAt, static_cast<std::uint32_t>(slices_ - kHeaderSize));
        patch(kIndexAt, index);
        patch(kInfo + kLayersIn, static_cast<std::uint32_t>(index_.size()));
        patch(kInfo + kPolylinesIn, static_cast<std::uint32_t>(polylines_));
        patch(kInfo + kPointsIn, static_cast<std::uint32_t>(points_));
        patch(kInfo + kUnitIn, static_cast<float>(unit_mm_));
        patch(kInfo + kBoxIn, box());
    }

  private:
    struct Entry {
        std::uint16_t z;
        std::uint32_t offset;
    };

    template <typename T>
    void put(T value) {
        const std::size_t at = record_.size();
        record_.resize(at + sizeof(T));
        std::memcpy(record_.data() + at, &value, sizeof(T));
    }

    template <typename T>
    void patch(std::size_t at, const T& value) {
        sink_.patch(at, &value, sizeof(T));
    }

    [[noreturn]] void refuse(const std::string& what) const {
        throw FormatError(ErrorCode::not_representable, sink_.position(), what);
    }

    static std::uint32_t offset_of(const std::string& text) {
        const double value = positive_option("block_offset", text);
        return value <= std::numeric_limits<std::uint32_t>::max() ? static_cast<std::uint32_t>(value)
                                                                   : 0;
    }

    std::uint32_t relative(std::uint64_t position) const {
        if (position - kHeaderSize > std::numeric_limits<std::uint32_t>::max()) {
            refuse("an SLI file cannot be larger than 4 GiB");
        }
        return static_cast<std::uint32_t>(position - kHeaderSize);
    }

    std::uint16_t whole_units(double value_mm, const char* what) {
        const double units = value_mm / unit_mm_;
        const double whole = std::nearbyint(units);
        if (!(whole >= 0.0 && whole <= 65535.0)) {
            refuse(std::string(what) + " of " + shortest_text(value_mm) + " mm is outside 0 to " +
                   shortest_text(65535.0 * unit_mm_) +
                   " mm, which is all that unsigned 16-bit units of " + shortest_text(unit_mm_) +
                   " mm hold");
        }
        if (std::fabs(units - whole) > kNear) {
            lose(std::string(what) + " values between units of " + shortest_text(unit_mm_) + " mm");
        }
        return static_cast<std::uint16_t>(whole);
    }

    std::uint16_t height(double z_mm) {
        if (std::isnan(z_mm)) {
            refuse("layer " + std::to_string(index_.size()) + " has no height, and SLI needs one");
        }
        const std::uint16_t z = whole_units(z_mm, "z");
        if (!index_.empty() && z == index_.back().z && z_mm != last_z_mm_) {
            refuse("two layers would both be at " + shortest_text(z * unit_mm_) + " mm");
        }
        last_z_mm_ = z_mm;
        return z;
    }

    void geometry(const LayerView& layer, std::size_t row) {
        const auto kind = static_cast<Kind>(layer.kind[row]);
        if (layer.model_id[row] != kNoId || layer.build_style_id[row] != kNoId) {
            lose("which model and build style a geometry belongs to");
        }
        if (layer.laser_id[row] != kNoId) {
            lose("which laser a geometry belongs to");
        }
        if (kind == Kind::jump) {
            lose("jumps");
            return;
        }
        if (kind == Kind::points) {
            refuse("SLI has no single exposures (kind points)");
        }
        const auto first = static_cast<std::size_t>(layer.offset[row]);
        const auto points = static_cast<std::size_t>(layer.count[row]);
        if (kind == Kind::contour) {
            if (points > kMostOfRecord) {
                refuse("a contour of " + std::to_string(points) +
                       " points: SLI holds 65535, and cutting it would open it");
            }
            ++polylines_;
            record(kPolyline, points, layer, first, points);
            return;
        }
        if (points % 2 != 0) {
            refuse("hatches of " + std::to_string(points) + " points: each vector has two");
        }
        std::size_t done = 0;
        do {
            const std::size_t vectors = std::min(points / 2 - done, kMostOfRecord);
            record(kHatches, vectors, layer, first + 2 * done, 2 * vectors);
            done += vectors;
            if (done < points / 2) {
                lose("that hatches of more than 65535 vectors are one geometry");
            }
        } while (done < points / 2);
    }

    void record(Opcode opcode, std::size_t count, const LayerView& layer, std::size_t first,
                std::size_t points) {
        put<std::uint8_t>(opcode);
        put<std::uint8_t>(0);
        put(static_cast<std::uint16_t>(count));
        for (std::size_t point = first; point < first + points; ++point) {
            const std::uint16_t x = whole_units(static_cast<double>(layer.x_mm[point]), "x");
            const std::uint16_t y = whole_units(static_cast<double>(layer.y_mm[point]), "y");
            put(x);
            put(y);
            low_[0] = std::min(low_[0], x);
            high_[0] = std::max(high_[0], x);
            low_[1] = std::min(low_[1], y);
            high_[1] = std::max(high_[1], y);
        }
        points_ += points;
    }

    // What the header declared, where that is what was written; otherwise what was written.
    std::array<float, 6> box() const {
        std::array<double, 6> measured{};
        if (points_ > 0) {
            measured = {low_[0] * unit_mm_, high_[0] * unit_mm_, low_[1] * unit_mm_,
                        high_[1] * unit_mm_, 0.0, 0.0};
        }
        if (!index_.empty()) {
            measured[4] = index_.front().z * unit_mm_;
            measured[5] = index_.back().z * unit_mm_;
        }
        std::array<double, 6> out = measured;
        if (dimension_mm_) {
            const std::array<double, 6>& told = *dimension_mm_;
            const std::array<double, 6> declared{told[0], told[3], told[1],
                                                 told[4], told[2], told[5]};
            const bool agrees = std::equal(declared.begin(), declared.end(), measured.begin(),
                                           [this](double left, double right) {
                                               return std::fabs(left - right) < 1.5 * unit_mm_;
                                           });
            out = agrees ? declared : measured;
        }
        std::array<float, 6> rounded{};
        std::transform(out.begin(), out.end(), rounded.begin(),
                       [](double value) { return static_cast<float>(value); });
        return rounded;
    }

    ByteSink& sink_;
    double unit_mm_ = 0.01;
    bool unit_given_ = false;
    std::optional<std::array<double, 6>> dimension_mm_;
    std::uint32_t block_offset_ = 0;
    std::size_t slices_ = 0;
    double last_z_mm_ = 0.0;
    std::vector<Entry> index_;
    std::vector<std::uint8_t> record_;
    std::array<std::uint16_t, 2> low_{0xFFFF, 0xFFFF};
    std::array<std::uint16_t, 2> high_{0, 0};
    std::uint64_t polylines_ = 0;
    std::uint64_t points_ = 0;
};

}  // namespace

std::unique_ptr<BuildWriter> make_sli_writer(ByteSink& sink, const WriteOptions& options) {
    return std::make_unique<SliWriter>(sink, options);
}

}  // namespace pbf::buildfile
